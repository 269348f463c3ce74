"""Symptoms of the stages of a language model are reported where they are, and nowhere else."""

import json
import math

import pytest

from changes import check_changes
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.runtime.health.settings import Facts, usable
from ppoc.runtime.rlhf.symptoms import HELD_OUT, SYMPTOMS, monitor

SETTINGS = {
    "model.config.architecture": "gpt2",
    "sft.epochs": 10,
    "sft.optimizer.lr": 2e-3,
    "sft.optimizer.max_grad_norm": 1.0,
    "reward.epochs": 10,
    "reward.batch_size": 32,
    "reward.optimizer.lr": 5e-4,
    "ppo.rollout_size": 128,
    "ppo.minibatch_size": 32,
    "ppo.epochs": 4,
    "ppo.generation.max_new_tokens": 40,
    "ppo.kl.beta": 0.2,
    "ppo.kl.target": 6.0,
    "ppo.kl.horizon": 2000,
    "ppo.rewards.normalize": True,
    "ppo.rewards.missing_end": -1.0,
    "ppo.losses.policy.epsilon": 0.2,
    "ppo.losses.value.coefficient": 0.1,
    "ppo.losses.value.clip": 0.2,
    "ppo.optimizer.lr": 3e-4,
    "ppo.optimizer.max_grad_norm": 1.0,
    "ppo.value_optimizer.lr": 3e-3,
}


def facts(settings):
    """The facts of a run with such settings."""
    return Facts("rlhf", usable(settings), {"ppo": 12_800})


def healthy(stage, iteration):
    """An iteration of a stage that learns."""
    done = iteration / 100
    rows = {
        "sft": {"loss": 6 - 5 * done, "grad_norm": 1.0},
        "reward": {"loss": 0.7 - 0.5 * done, "accuracy": 0.5 + 0.4 * done, "grad_norm": 1.0},
        "ppo": {
            "score": 2 * done,
            "kl_to_reference": 6 * done,
            "response_length": 10.0 + 5 * done,
            "ended": 0.95,
            "entropy": 1 - 0.5 * done,
            "policy_loss": -0.01,
            "value_loss": 0.5,
            "approx_kl": 0.03,
            "clip_fraction": 0.1,
            "grad_norm": 1.0,
            "explained_variance": done,
            "kl_weight": 0.2,
        },
    }
    return rows[stage]


def evaluation(stage, iteration):
    """The evaluation of a stage that learns on what was held out, each ten iterations."""
    done = iteration / 100
    rows = {
        "sft": {"loss": 6 - 5 * done, "perplexity": math.exp(6 - 5 * done)},
        "reward": {"accuracy": 0.5 + 0.4 * done, "rankings": 80},
        "ppo": {"score": 2 * done},
    }
    return rows[stage]


def watch(stage, change=None, evaluated=None, odd=None):
    """The findings in a stage of 100 iterations that differ from healthy ones."""
    watching = monitor(stage, facts({**SETTINGS, **(odd or {})}))
    found = []
    for i in range(100):
        step = (i + 1) * (128 if stage == "ppo" else 1)
        found += watching.check(step, {**healthy(stage, i), **(change(i) if change else {})})
        if i % 10 == 9:
            row = {**evaluation(stage, i), **(evaluated(i) if evaluated else {})}
            found += watching.check_evaluation(step, row)
    return found


SICK = {
    ("sft", "loss-explosion"): (lambda i: {"loss": 25.0} if i == 40 else {},),
    ("sft", "not-finite"): (lambda i: {"grad_norm": math.inf} if i == 40 else {},),
    ("sft", "rising-loss"): (lambda i: {"loss": 13.0} if i > 40 else {},),
    ("sft", "overfit"): (None, lambda i: {"loss": 3 + abs(i - 50) / 50}),
    ("reward", "loss-explosion"): (lambda i: {"loss": 1e4} if i == 40 else {},),
    ("reward", "not-finite"): (lambda i: {"loss": math.nan} if i == 40 else {},),
    ("reward", "rising-loss"): (lambda i: {"loss": 1.5} if i > 40 else {},),
    ("reward", "reward-at-chance"): (lambda i: {"accuracy": 0.49 + 0.02 * (i % 2)},),
    ("ppo", "kl-explosion"): (lambda i: {"approx_kl": 100.0} if i == 40 else {},),
    ("ppo", "high-kl"): (lambda i: {"approx_kl": 0.8},),
    ("ppo", "clip-saturated"): (lambda i: {"clip_fraction": 0.9},),
    ("ppo", "not-finite"): (lambda i: {"value_loss": math.nan} if i == 40 else {},),
    ("ppo", "far-from-reference"): (lambda i: {"kl_to_reference": float(i)},),
    ("ppo", "negative-kl"): (lambda i: {"kl_to_reference": -2.0},),
    ("ppo", "value-loss-explosion"): (lambda i: {"value_loss": 1e5},),
    ("ppo", "useless-critic"): (lambda i: {"explained_variance": 0.01},),
    ("ppo", "entropy-collapse"): (lambda i: {"entropy": 0.01 if i > 50 else 1.0},),
    ("ppo", "entropy-too-high"): (lambda i: {"entropy": 1 + 0.05 * i},),
    ("ppo", "endless-answers"): (
        lambda i: {"ended": 0.1, "response_length": 40} if i > 50 else {},
    ),
    ("ppo", "cut-answers"): (lambda i: {"ended": 0.1, "response_length": 40},),
    ("ppo", "unlearning"): (lambda i: {"score": 0.0} if i > 60 else {},),
    ("ppo", "no-improvement"): (lambda i: {"score": 0.1 * (i % 2)},),
}


@pytest.mark.parametrize("stage", SYMPTOMS)
def test_a_healthy_stage_has_no_finding(stage):
    assert watch(stage) == []


@pytest.mark.parametrize(("stage", "name"), SICK)
def test_each_symptom_is_found_once_with_its_evidence(stage, name):
    found = watch(stage, *SICK[stage, name])
    assert [finding.symptom for finding in found] == [name]
    assert found[0].changes
    assert found[0].source
    assert found[0].cause
    assert json.loads(json.dumps(found[0].document(), allow_nan=False))["symptom"] == name


def test_every_symptom_is_tried():
    tables = {stage: (*SYMPTOMS[stage], *HELD_OUT.get(stage, ())) for stage in SYMPTOMS}
    assert {(stage, s.name) for stage, table in tables.items() for s in table} == set(SICK)


def test_held_out_rankings_at_chance_are_found_after_half_of_the_epochs():
    for learns, change in ((0.9, "reward.epochs"), (0.53, "reward.optimizer.lr")):
        chance = {"accuracy": 0.47}
        (found,) = watch("reward", lambda i: {"accuracy": learns}, lambda i: chance)  # noqa: B023
        assert (found.symptom, found.step) == ("reward-at-chance", 60)
        assert (found.metric, found.changes[0].path) == ("held_out_accuracy", change)
    assert watch("reward", None, lambda i: {"accuracy": 0.47, "rankings": 12}) == []


def test_what_is_learnt_in_the_first_rollouts_is_an_improvement():
    assert watch("ppo", lambda i: {"score": min(1.0, 0.2 * i)}) == []


def test_an_overfit_model_is_told_the_epochs_that_were_of_use():
    (finding,) = watch("sft", *SICK["sft", "overfit"])
    assert finding.changes[0] == ("sft.epochs", 10, 5)
    assert (finding.since, finding.step) == (70, 80)


def test_without_a_target_the_kl_divergence_is_judged_by_the_length_of_answers():
    known = {key: value for key, value in SETTINGS.items() if key != "ppo.kl.target"}
    for length, kl, seen in ((10.0, 9.0, False), (10.0, 12.0, True), (500.0, 120.0, True)):
        watching = monitor("ppo", facts(known))
        change = {"response_length": length, "kl_to_reference": kl}
        found = [f for i in range(5) for f in watching.check(i, {**healthy("ppo", i), **change})]
        assert [f.symptom for f in found] == ["far-from-reference"] * seen


def test_a_rollout_of_few_minibatches_can_be_clipped_less():
    """In the first of two minibatches of one epoch nothing is clipped, so at most half is."""
    few = {"ppo.epochs": 1, "ppo.minibatch_size": 64}
    assert watch("ppo", lambda i: {"clip_fraction": 0.45}, odd=few)[0].symptom == "clip-saturated"
    assert watch("ppo", lambda i: {"clip_fraction": 0.45}) == []


WILD = {"ppo.optimizer.lr": 10.0, "ppo.losses.policy.epsilon": 5.0, "ppo.kl.beta": 0.0}


@pytest.mark.parametrize("odd", [{}, WILD])
def test_changes_are_values_of_the_spec(odd):
    """Each change names a key that specs have, and another value than the module has now."""
    for (stage, name), change in SICK.items():
        for finding in watch(stage, *change, odd=odd):
            check_changes(RlhfSpec, name, finding)


def test_settings_that_no_spec_has_are_left_out():
    """A manifest may be anybody's: what is no number of a sensible size is not reckoned with."""
    odd = {
        "reward.batch_size": "x",
        "ppo.rollout_size": 10**400,
        "ppo.epochs": math.nan,
        "ppo.losses.policy.epsilon": [],
    }
    for stage in SYMPTOMS:
        watching = monitor(stage, facts({**SETTINGS, **odd}))
        for i in range(40):
            watching.check(i, dict.fromkeys(healthy(stage, i), math.nan))
            watching.check_evaluation(i, dict.fromkeys(evaluation(stage, i), math.inf))
