"""Symptoms are reported where they are, once, and nowhere else."""

import json
import math

import pytest

from changes import check_changes
from ppoc.runtime.health import monitor as health
from ppoc.runtime.health.monitor import Monitor
from ppoc.runtime.health.symptoms import SYMPTOMS
from ppoc.runtime.health.trend import Trend
from ppoc.runtime.records.metrics import read_metrics
from ppoc.runtime.run.launch import execute

CONSTANTS = {
    "NUM_ITERATIONS": 100,
    "BATCH_SIZE": 256,
    "EPOCHS": 10,
    "GAMMA": 0.99,
    "CLIP_RANGE": 0.2,
    "LEARNING_RATE": 3e-4,
    "VALUE_COEFFICIENT": 0.5,
    "ENTROPY_COEFFICIENT": 0.01,
    "MAX_GRAD_NORM": 0.5,
    "SHAPES": {"actor.0.weight": (2, 4), "actor.0.bias": (2,)},
}


def healthy(iteration):
    """An iteration of a run that learns: returns rise, entropy falls, the critic explains."""
    done = iteration / 100
    return {
        "episode_return": 20 + 480 * done + iteration % 3,
        "episode_length": 20 + 480 * done,
        "policy_loss": -0.01,
        "value_loss": 10 * (1 - done) + 0.1,
        "entropy": 0.69 - 0.5 * done,
        "approx_kl": 0.01,
        "clip_fraction": 0.1,
        "grad_norm": 5.0,
        "explained_variance": done,
        "largest_reward": 1.0,
    }


def watch(change=lambda iteration: {}, **constants):
    """The findings in a run of 100 iterations that differ from healthy ones by `change`."""
    monitor = Monitor(Trend({**CONSTANTS, **constants}))
    found = []
    for iteration in range(100):
        row = {**healthy(iteration), **change(iteration)}
        found += monitor.check((iteration + 1) * 256, row)
    return found


SICK = {
    "large-rewards": lambda i: {"largest_reward": 1e4, "explained_variance": 0.0},
    "kl-explosion": lambda i: {"approx_kl": 100.0} if i == 40 else {},
    "high-kl": lambda i: {"approx_kl": 0.5},
    "clip-saturated": lambda i: {"clip_fraction": 0.95},
    "not-finite": lambda i: {"grad_norm": math.nan} if i == 40 else {},
    "entropy-collapse": lambda i: {"entropy": 1e-9 if i else 0.69, "episode_return": 20},
    "entropy-too-high": lambda i: {"entropy": 0.69, "episode_return": 20},
    "value-loss-explosion": lambda i: {"value_loss": 10.0 * 1.5**i},
    "useless-critic": lambda i: {"explained_variance": -0.01, "value_loss": 9.0},
    "stuck-at-bound": lambda i: {"actions_at_bound": 0.99, "episode_return": 20},
    "gradient-clipped": lambda i: {"grad_norm": 1e4},
    "unlearning": lambda i: {"episode_return": 10.0} if i > 60 else {},
    "no-improvement": lambda i: {"episode_return": 20 + i % 2},
}


def test_a_healthy_run_has_no_finding():
    assert watch() == []


@pytest.mark.parametrize("name", SICK)
def test_each_symptom_is_found_once_with_its_evidence(name):
    found = watch(SICK[name])
    first = found[0]
    assert first.symptom == name
    assert [finding.symptom for finding in found].count(name) == 1
    iteration = first.step // 256 - 1
    row = {**healthy(iteration), **SICK[name](iteration)}
    assert first.value == row[first.metric] or math.isnan(first.value)
    assert first.changes
    assert first.source
    assert first.cause
    assert json.loads(json.dumps(first.document(), allow_nan=False))["symptom"] == name


def test_every_symptom_is_tried():
    assert {symptom.name for symptom in SYMPTOMS} == {*SICK, "short-horizon"}


def test_a_short_horizon_is_found_and_a_long_one_not():
    assert [finding.symptom for finding in watch(GAMMA=0.5)] == ["short-horizon"]
    assert watch(GAMMA=0.9) == []


def test_what_comes_and_goes_is_reported_ever_more_rarely():
    """Away for 10 iterations, then for 20: back every 12, and reported anew half as often."""
    comes = watch(lambda i: {"approx_kl": 100.0} if i % 12 == 0 else {})
    assert [x.step // 256 - 1 for x in comes if x.symptom == "kl-explosion"] == [0]
    twice = watch(lambda i: {"approx_kl": 100.0} if i in (0, 30, 60) else {})
    assert [x.step // 256 - 1 for x in twice if x.symptom == "kl-explosion"] == [0, 30]


def test_a_clip_range_that_falls_to_zero_clips_all_and_is_healthy():
    assert watch(lambda i: {"clip_fraction": 0.95 if i > 90 else 0.1, "clip_range": 2e-3}) == []


def test_a_target_of_the_spec_counts():
    assert watch(lambda i: {"approx_kl": 0.5}, TARGET_KL=0.1) == []
    assert watch(lambda i: {"approx_kl": 1.5}, TARGET_KL=0.1)[0].symptom == "high-kl"


def test_changes_are_values_of_the_spec():
    """Each change names a key that specs have, and the value that the module has now."""
    from ppoc.compiler.agent.language import AgentSpec

    for name, change in SICK.items():
        for finding in watch(change):
            check_changes(AgentSpec, name, finding)


SHORT = ("training.total_steps=2560", "update={rollout_steps: 256}", "evaluation.episodes=1")
WILD = ("optimizer.actor.lr=1.0", "training.on_divergence=continue", *SHORT)


def events(folder):
    return list(health.read(folder))


def test_a_run_says_what_is_wrong_and_keeps_it(module_of, tmp_path, capsys):
    execute(module_of("ppo/cartpole", *WILD, "env.num_envs=4"), tmp_path, mode="json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line["event"] == "health"]
    assert told[0]["symptom"] in ("kl-explosion", "high-kl")
    assert told[0]["changes"][0] == {"path": "optimizer.actor.lr", "from": 1.0, "to": 0.0003}
    kept = [
        {k: v for k, v in row.items() if k not in ("format", "event")} for row in events(tmp_path)
    ]
    assert kept == [{k: v for k, v in row.items() if k != "event"} for row in told]


def test_a_healthy_run_keeps_no_file(module_of, tmp_path):
    execute(module_of("ppo/cartpole", *SHORT), tmp_path, mode="quiet")
    assert events(tmp_path) == []


def test_a_resumed_run_finds_what_the_whole_one_finds(module_of, tmp_path):
    """Findings after the checkpoint are dropped, and made again; nothing is said twice."""
    module = module_of("ppo/cartpole", *WILD, "training.checkpoint_every=512")
    execute(module, tmp_path, mode="quiet")
    whole = events(tmp_path)
    assert whole
    newest = sorted((tmp_path / "checkpoints").iterdir())
    for path in newest[1:]:  # as if the run had been killed after the first of the three
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    (tmp_path / "result.json").unlink()
    health.append(tmp_path, "finding", {"step": 2560, "symptom": "never seen"})
    (tmp_path / "health.jsonl").open("a").write('{"format": 1, "event": "fin')
    execute(module, tmp_path, mode="quiet", resume=True)
    assert events(tmp_path) == whole


def test_damaged_metrics_are_read_as_far_as_they_go(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"step,a,b\n1,2.0,\n\x00\n2,x,1\n3,nan,4\n\xff\xfe,1,2\n4,5.0")
    notes = []
    rows = list(read_metrics(path, notes))
    assert [(step, list(row)) for step, row in rows] == [(1, ["a"]), (3, ["a", "b"])]
    assert notes == ["metrics.csv has 3 lines that are torn or no numbers"]
