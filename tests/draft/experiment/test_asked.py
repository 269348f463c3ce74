"""Answers that a language model may give to a request for an experiment."""

import json
from types import SimpleNamespace

import jsonschema
import pytest

from ppoc.draft.compose import compose
from ppoc.draft.engines import joined, read_offline
from ppoc.draft.kinds import KINDS
from ppoc.draft.models.grounding import answer_of, field_name, grounded, json_schema

ASKED = KINDS["experiment"].asked
REQUEST = "PPO vs TRPO on Hopper, 7 seeds, lr 1e-4, 99% confidence, at most 40 runs"
PATHS = ASKED.paths()


def answer(evidence=None, **values):
    """An answer that fills in some fields; `__` stands for the dots of a path."""
    fields = {field_name(path): None for path in PATHS}
    return SimpleNamespace(**{**fields, **values, "evidence": evidence or {}})


def test_the_readers_own_answer_is_one():
    claims = [claim for claim in read_offline(REQUEST).claims if claim.path in PATHS]
    given = {field_name(path): None for path in PATHS} | json.loads(
        answer_of(claims, REQUEST, PATHS)
    )
    jsonschema.validate(given, json_schema(REQUEST, PATHS, ASKED))
    found, rejected = grounded(SimpleNamespace(**given), REQUEST, PATHS, ASKED)
    assert rejected == []
    said = {claim.path: claim.value for claim in found}
    assert said["seeds"] == 7
    assert said["base.optimizer.actor.lr"] == 1e-4
    assert said["budget.runs"] == 40


@pytest.mark.parametrize("values", [{"seeds": 9}, {"base__optimizer__actor__lr": 0.5}])
def test_what_is_invented_is_rejected(values):
    claims, ((_, _, why),) = grounded(answer(**values), REQUEST, PATHS, ASKED)
    assert (claims, why) == ([], "the request does not say so")


def test_what_a_model_adds_goes_into_the_experiment():
    text = "PPO vs TRPO on Hopper, 3 seeds, keep 0.97 for the discounting thing"
    claims, rejected = grounded(answer(base__advantage__gamma=0.97), text, PATHS, ASKED)
    assert rejected == []
    draft = compose(joined(read_offline(text), claims, []))
    assert draft.resolved.spec.base["advantage"] == {"gamma": 0.97}
    assert list(draft.resolved.spec.variants) == ["ppo", "trpo"]
