"""The three stages of a small spec, run as `ppoc run` does."""

import csv
import json

import pytest
from typer.testing import CliRunner

from ppoc.cli.app import app
from rlhf_toy import write_toy

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run folder of all three stages, and what `ppoc run` printed."""
    folder = tmp_path_factory.mktemp("toy")
    spec, out = write_toy(folder), folder / "run"
    done = CliRunner().invoke(app, ["run", str(spec), "--out", str(out), "--quiet"])
    assert done.exit_code == 0, done.output
    return out, done.stdout


def test_a_run_leaves_its_stages_and_a_comparison(ran):
    out, printed = ran
    for stage in ("sft", "reward", "ppo"):
        assert json.loads((out / stage / "result.json").read_text())["finished"]
        rows = list(csv.DictReader((out / stage / "metrics.csv").open()))
        assert rows
        assert list((out / stage / "checkpoints").iterdir())
    found = json.loads((out / "comparison.json").read_text())
    assert found["prompts"] == 4
    assert found["win_low"] <= found["win_rate"] <= found["win_high"]
    assert "win rate" in printed
    assert "sft, held out: loss" in printed


def test_the_losses_of_sft_and_reward_fall(ran):
    out, _ = ran
    for stage in ("sft", "reward"):
        losses = [
            float(row["loss"]) for row in csv.DictReader((out / stage / "metrics.csv").open())
        ]
        assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_eval_repeats_the_comparison(ran):
    out, _ = ran
    done = CliRunner().invoke(app, ["eval", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((out / "comparison.json").read_text())


def test_chat_answers_lines(ran):
    out, _ = ran
    arguments = ["chat", str(out), "--json", "-t", "0"]
    one = CliRunner().invoke(app, arguments, input="say 3:\nsay 4:\n")
    rows = [json.loads(line) for line in one.stdout.splitlines()]
    assert [row["prompt"] for row in rows] == ["say 3:", "say 4:"]
    again = CliRunner().invoke(app, arguments, input="say 4:\n")
    assert json.loads(again.stdout)["answer"] == rows[1]["answer"]


def test_a_finished_run_is_not_repeated(ran):
    out, _ = ran
    before = (out / "ppo" / "metrics.csv").read_bytes()
    done = CliRunner().invoke(app, ["run", str(out), "--resume", "--quiet"])
    assert done.exit_code == 0, done.output
    assert (out / "ppo" / "metrics.csv").read_bytes() == before
