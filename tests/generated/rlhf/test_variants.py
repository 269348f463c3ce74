"""Every variant trains, and stages that are run one by one are those that are run together."""

import json

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from ppoc.cli.app import app
from rlhf_toy import VARIANTS, write_toy

pytest.importorskip("transformers")
pytest.importorskip("peft")

SHORT = ("-s", "sft.epochs=2", "-s", "reward.epochs=1", "-s", "ppo.episodes=32")


def ppoc(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def newest(folder, stage):
    path = sorted((folder / stage / "checkpoints").glob("step-*"))[-1]
    return load_file(path / "tensors.safetensors")


def flags(overrides):
    return [word for override in overrides for word in ("-s", override)]


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "as-it-is"])
def test_every_variant_trains(name, tmp_path):
    spec, out = write_toy(tmp_path), tmp_path / "run"
    ppoc("run", spec, "-o", out, "-q", *flags(VARIANTS[name]), *SHORT)
    found = json.loads((out / "result.json").read_text())["evaluation"]
    assert found["prompts"] >= 4
    if "evaluation.every=2" in VARIANTS[name]:  # its evaluations end with the comparison
        rows = [json.loads(row) for row in (out / "ppo" / "evaluations.jsonl").open()]
        assert rows[-1]["score"] == found["after"]["score"]
        steps = json.loads((out / "ppo" / "result.json").read_text())["steps"]
        assert [row["steps"] for row in rows].count(steps) == 1
        assert rows[-1]["steps"] == steps
    tensors = newest(out, "ppo")
    assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())
    learns = [key for key in tensors if key.startswith("policy.")]
    assert learns
    assert all("lora" in key for key in learns) == name.startswith("lora")


def test_until_and_resume(tmp_path):
    spec, out = write_toy(tmp_path), tmp_path / "run"
    printed = ppoc("run", spec, "-o", out, "-q", "--until", "sft", *SHORT)
    assert "sft is done" in printed
    assert not (out / "reward").exists()
    ppoc("run", out, "--resume", "-q", "--until", "reward")
    assert not (out / "ppo").exists()
    assert "win rate" in ppoc("run", out, "--resume", "-q")
    together = tmp_path / "together"
    ppoc("run", spec, "-o", together, "-q", *SHORT)
    for stage in ("sft", "reward", "ppo"):
        one, other = newest(out, stage), newest(together, stage)
        assert all(torch.equal(one[key], other[key]) for key in other)


@pytest.mark.parametrize("lora", ["null", "{rank: 2}"])
def test_stages_start_from_other_runs(lora, tmp_path):
    """Two runs of one stage each, a third that starts from them, a fourth from its policy."""
    spec = write_toy(tmp_path)
    common = ("-q", *SHORT, "-s", f"model.lora={lora}")
    a, b, c, d = (tmp_path / name for name in "abcd")
    ppoc("run", spec, "-o", a, *common, "-s", "stages=[sft]")
    ppoc("run", spec, "-o", b, *common, "-s", "stages=[reward]", "-s", f"start.policy={a}")
    start = f"start={{policy: {a}, reward: {b}}}"
    ppoc("run", spec, "-o", c, *common, "-s", "stages=[ppo]", "-s", start)
    first = json.loads((c / "result.json").read_text())["evaluation"]
    assert first["win_low"] <= first["win_rate"]
    assert "score" in json.loads(ppoc("eval", c, "--json"))["before"]
    start = f"start={{policy: {c}, reward: {b}}}"
    ppoc("run", spec, "-o", d, *common, "-s", "stages=[ppo]", "-s", start)
    # What the fourth starts from is what the third came to.
    prompt = "say 3:\n"
    answers = [
        CliRunner().invoke(app, ["chat", str(folder), "-t", "0", *more], input=prompt).stdout
        for folder, more in ((c, ["--stage", "ppo"]), (d, ["--stage", "start"]))
    ]
    assert answers[0] == answers[1] != ""


def test_a_run_starts_from_the_model_itself(tmp_path):
    spec, out = write_toy(tmp_path), tmp_path / "run"
    flags = ("-s", "stages=[reward, ppo]", "-s", "start.policy=base")
    ppoc("run", spec, "-o", out, "-q", *SHORT, *flags)
    assert not (out / "sft").exists()
    assert json.loads((out / "result.json").read_text())["evaluation"]


def test_eval_of_a_run_without_ppo(tmp_path):
    spec, out = write_toy(tmp_path), tmp_path / "run"
    ppoc("run", spec, "-o", out, "-q", *SHORT, "-s", "stages=[sft, reward]")
    found = json.loads(ppoc("eval", out, "--json"))
    assert found["sft"]["loss"] > 0
    assert 0 <= found["reward"]["accuracy"] <= 1
