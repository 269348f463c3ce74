"""Answers that a language model may give to a request for learning from human feedback."""

from types import SimpleNamespace

import jsonschema
import pytest

from ppoc.draft.models.grounding import answer_of, field_name, grounded, json_schema, objections
from ppoc.draft.rlhf.asked import RLHF
from ppoc.draft.rlhf.reader import read

REQUEST = "RLHF on GPT-2: SFT on demos.jsonl for two epochs, KL 0.05, PPO at 1e-6, on the cpu"
PATHS = RLHF.paths()


def answer(evidence=None, **values):
    """An answer that fills in some fields; `__` stands for the dots of a path."""
    fields = {field_name(path): None for path in PATHS}
    return SimpleNamespace(**{**fields, **values, "evidence": evidence or {}})


def test_the_readers_own_answer_is_one():
    schema = json_schema(REQUEST, PATHS, RLHF)
    text = answer_of(read(REQUEST).claims, REQUEST, PATHS)
    import json

    given = {**{field_name(path): None for path in PATHS}, **json.loads(text)}
    jsonschema.validate(given, schema)
    claims, rejected = grounded(SimpleNamespace(**given), REQUEST, PATHS, RLHF)
    assert rejected == []
    assert {c.path: c.value for c in claims} == {
        c.path: c.value for c in read(REQUEST).claims if c.path in PATHS
    }
    assert objections(SimpleNamespace(**given), REQUEST, PATHS, RLHF) == []


def test_the_schema_has_every_stage_and_only_numbers_of_the_request():
    properties = json_schema(REQUEST, PATHS, RLHF)["properties"]
    assert {"sft__epochs", "reward__optimizer__lr", "ppo__kl__target"} <= set(properties)
    assert properties["ppo__kl__beta"]["enum"] == [2, 0.05, 1e-06, None]
    assert properties["sft__epochs"]["enum"] == [2, None]


@pytest.mark.parametrize(
    ("values", "evidence", "words"),
    [
        ({"ppo__kl__beta": 0.3}, {}, "does not say so"),
        ({"data__demonstrations": "/etc/passwd"}, {}, "does not say so"),
        ({"model__id": "meta-llama/Llama-3.2-1B"}, {"model__id": "GPT-2"}, "does not say so"),
        ({"sft__epochs": 0.05}, {}, "it must be a"),
        ({"training__device": "cuda"}, {"training__device": "on the gpu"}, "does not say so"),
    ],
)
def test_what_is_invented_is_rejected(values, evidence, words):
    claims, ((_, _, why),) = grounded(answer(evidence, **values), REQUEST, PATHS, RLHF)
    assert claims == []
    assert words in why
    assert objections(answer(evidence, **values), REQUEST, PATHS, RLHF)


def test_what_the_compiler_refuses_is_objected_to():
    text = "RLHF on gpt2 with minibatches of 60"
    (wrong,) = objections(answer(ppo__minibatch_size=60), text, PATHS, RLHF)
    assert "E101" in wrong
