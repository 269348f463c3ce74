"""Stages that are made to diverge, or to be sick in other ways, and what is said of them."""

import csv
import json
import random
import shutil

import pytest
from typer.testing import CliRunner

from ppoc.cli.app import app
from ppoc.runtime.diagnosis import diagnose
from ppoc.runtime.health import monitor as health
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute
from rlhf_toy import write_toy
from zoo import ROOT

pytest.importorskip("transformers")

# Nothing is learnt in the first half, so that there is a checkpoint to name; then all is lost.
JUMP = "schedule: [[0, 1e-9], [0.5, 1e-9], [0.51, 1], [1, 1]]"


@pytest.fixture(scope="module")
def first_steps(tmp_path_factory):
    """The spec, and overrides that start PPO from a run of the steps before it."""
    folder = tmp_path_factory.mktemp("sick")
    spec, out = write_toy(folder), folder / "run"
    done = CliRunner().invoke(app, ["run", str(spec), "-o", str(out), "-q", "--until", "reward"])
    assert done.exit_code == 0, done.output
    return spec, ("stages=[ppo]", f"start={{policy: {out}, reward: {out}}}", "ppo.episodes=256")


@pytest.fixture
def ran(first_steps, tmp_path):
    """From overrides, and stages, to what `ppoc run` printed and the run folder."""

    def run(*overrides, until="ppo"):
        spec, ppo_only = first_steps
        changes = [*(ppo_only if until == "ppo" else ()), *overrides]
        words = [word for change in changes for word in ("-s", change)]
        out = tmp_path / "run"
        arguments = ["run", str(spec), "-o", str(out), "--json", "--until", until, *words]
        return CliRunner().invoke(app, arguments), out

    return run


def told(done):
    """The findings that a run said as JSON lines."""
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "health"]


def check_what_was_said(done, out, stage):
    """A run says what it keeps, and what `ppoc diagnose` finds afterwards."""
    said = told(done)
    assert {row["stage"] for row in said} == {stage}
    kept = [row for row in health.read(out / stage) if row["event"] == "finding"]
    assert [(x["symptom"], x["step"], x["changes"]) for x in kept] == [
        (x["symptom"], x["step"], x["changes"]) for x in said
    ]
    first = {}
    for row in said:
        first.setdefault(row["symptom"], row)
    found = {finding.symptom: finding.document() for finding in diagnose(out)[stage].findings}
    for name, row in first.items():
        assert {**json.loads(json.dumps(found.pop(name))), "stage": stage, "event": "health"} == row
    assert not found


@pytest.mark.parametrize("stage", ["sft", "reward", "ppo"])
def test_a_stage_that_diverges_stops_and_names_its_last_good_checkpoint(ran, stage):
    every = "training.checkpoint_every=2"
    done, out = ran(f"{stage}.optimizer={{lr: 1e4, {JUMP}}}", every, until=stage)
    assert done.exit_code == 3, done.output
    newest = checkpoints.latest(out / stage / "checkpoints")
    assert done.stderr.count("error:") == 1
    assert f"the last good checkpoint is {newest}" in done.stderr
    assert "Traceback" not in done.output
    rows = list(csv.DictReader((out / stage / "metrics.csv").open()))
    assert int(newest.name.removeprefix("step-")) < int(rows[-1]["step"])
    assert told(done)[0]["symptom"] in ("loss-explosion", "kl-explosion")
    assert told(done)[0]["changes"][0]["path"] == f"{stage}.optimizer.lr"
    check_what_was_said(done, out, stage)


@pytest.mark.parametrize("stage", ["sft", "reward"])
def test_parameters_that_are_not_finite_are_not_saved(toy_module, tmp_path, monkeypatch, stage):
    """The last update of a stage breaks them: its own metrics are still fine."""
    module = toy_module("training.checkpoint_every=1")
    broken, descend = [], module.descend

    def breaking(optimizer, *arguments):
        norm = descend(optimizer, *arguments)
        broken.append(1)
        if len(broken) == 5:
            optimizer.param_groups[0]["params"][0].data[0] = float("nan")
        return norm

    if stage == "reward":
        execute(module, tmp_path, mode="quiet", until="sft")
    monkeypatch.setattr(module, "descend", breaking)
    with pytest.raises(Exception, match=rf"(?s){stage}: \S+ became nan at step 5; .*000004\n"):
        execute(module, tmp_path, mode="quiet", until=stage, resume=True)
    assert checkpoints.latest(tmp_path / stage / "checkpoints").name == "step-000000000004"


@pytest.mark.parametrize(
    ("overrides", "symptoms"),
    [
        (
            ("ppo.optimizer.lr=0.01", "ppo.losses.policy.epsilon=1e-4"),
            {"clip-saturated"},
        ),
        (
            ("ppo.losses.value.coefficient=0", "ppo.kl.beta=0", "ppo.optimizer.lr=0.01"),
            {"useless-critic", "far-from-reference"},
        ),
    ],
    ids=["steps", "values"],
)
def test_a_sick_stage_says_so_while_it_goes(ran, overrides, symptoms):
    done, out = ran(*overrides)
    assert done.exit_code == 0, done.output
    assert symptoms <= {row["symptom"] for row in told(done)}
    check_what_was_said(done, out, "ppo")


def test_rankings_that_say_nothing_leave_the_reward_model_at_chance(ran, first_steps):
    spec, _ = first_steps
    rng = random.Random(1)
    answers = [[f" {rng.random():.4f}" for _ in range(2)] for _ in range(400)]
    rows = [
        {"prompt": f"say {n % 20}:", "chosen": one, "rejected": other}
        for n, (one, other) in enumerate(answers)
    ]
    path = spec.parent / "noise.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    noise = (f"data.preferences={path}", "data.held_out=0.5", "reward.epochs=1")
    done, out = ran(*noise, until="reward")
    assert done.exit_code == 0, done.output
    assert [row["symptom"] for row in told(done)] == ["reward-at-chance"]
    check_what_was_said(done, out, "reward")


def test_an_overfit_stage_finds_the_same_when_it_is_resumed(ran):
    """Findings after the checkpoint are dropped and made again, on what was held out too."""
    spans = ("sft.epochs=60", "data.held_out=0.5", "training.checkpoint_every=40")
    done, out = ran(*spans, until="sft")
    whole = list(health.read(out / "sft"))
    assert [row["symptom"] for row in told(done)] == ["overfit"]
    check_what_was_said(done, out, "sft")
    (out / "sft" / "result.json").unlink()
    newest = sorted((out / "sft" / "checkpoints").iterdir())
    for path in newest[1:]:
        shutil.rmtree(path)
    assert int(newest[0].name.removeprefix("step-")) < whole[0]["step"]
    again = CliRunner().invoke(app, ["run", str(out), "--resume", "-q", "--until", "sft"])
    assert again.exit_code == 0, again.output
    assert list(health.read(out / "sft")) == whole


SHORT = "ppo.episodes=2560"
# The spec of the zoo, made sick on purpose: what is named first, and what to change first.
TINY = {
    "nothing changed": ("ppo", (), None, None),
    "sft rate 1": ("sft", ("sft.optimizer.lr=1.0",), "loss-explosion", "sft.optimizer.lr"),
    "sft of 60 examples": (
        "sft",
        ("data.held_out=0.94", "sft.epochs=60"),
        "overfit",
        "sft.epochs",
    ),
    "reward rate 1e-8": (
        "reward",
        ("reward.optimizer.lr=1e-8",),
        "reward-at-chance",
        "reward.optimizer.lr",
    ),
    "ppo rate 0.1": ("ppo", ("ppo.optimizer.lr=0.1",), "kl-explosion", "ppo.optimizer.lr"),
    "ppo rate 0.01": ("ppo", ("ppo.optimizer.lr=0.01",), "high-kl", "ppo.optimizer.lr"),
    "β 0, no target": (
        "ppo",
        ("ppo.kl={beta: 0, target: null}", "ppo.optimizer.lr=1e-3"),
        "far-from-reference",
        "ppo.kl.beta",
    ),
    "value coefficient 0": (
        "ppo",
        ("ppo.losses.value.coefficient=0",),
        "useless-critic",
        "ppo.losses.value.coefficient",
    ),
    "4 tokens": (
        "ppo",
        ("ppo.generation.max_new_tokens=4",),
        "cut-answers",
        "ppo.generation.max_new_tokens",
    ),
}


@pytest.fixture(scope="module")
def tiny_steps(tmp_path_factory):
    """A run of the zoo's spec up to its reward model."""
    out = tmp_path_factory.mktemp("tiny") / "run"
    arguments = ["run", str(ROOT / "specs/rlhf/tiny.yaml"), "-o", str(out), "--json"]
    done = CliRunner().invoke(app, [*arguments, "--until", "reward"])
    assert done.exit_code == 0, done.output
    assert not told(done)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("setting", TINY)
def test_the_first_cause_is_named(tiny_steps, tmp_path, setting):
    stage, overrides, symptom, path = TINY[setting]
    start = ("stages=[ppo]", f"start={{policy: {tiny_steps}, reward: {tiny_steps}}}", SHORT)
    changes = [*(start if stage == "ppo" else ()), *overrides]
    out = tmp_path / "run"
    arguments = ["run", str(ROOT / "specs/rlhf/tiny.yaml"), "-o", str(out), "-q", "--until", stage]
    done = CliRunner().invoke(app, [*arguments, *(word for x in changes for word in ("-s", x))])
    assert done.exit_code in (0, 3), done.output
    findings = diagnose(out)[stage].findings
    print(f"\n{setting}:", [(x.symptom, x.step, x.value, str(x.changes[0])) for x in findings])
    assert (findings[0].symptom if findings else None) == symptom
    assert not findings or findings[0].changes[0].path == path
