"""The three stages of a small spec, run as `ppoc run` does."""

import csv
import json
import shutil
import sys

import pytest
from typer.testing import CliRunner

from ppoc.cli.app import app
from ppoc.cli.training.chat import _introduction
from ppoc.runtime.errors import RunError
from ppoc.runtime.records.checkpoint import TENSORS
from ppoc.runtime.rlhf.chat import Example
from ppoc.runtime.run.launch import execute
from rlhf_toy import write_toy

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run folder of all three stages, and the result of `ppoc run`."""
    folder = tmp_path_factory.mktemp("toy")
    spec, out = write_toy(folder), folder / "run"
    done = CliRunner().invoke(app, ["run", str(spec), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    return out, done


def test_a_run_leaves_its_stages_and_a_comparison(ran):
    out, done = ran
    for stage in ("sft", "reward", "ppo"):
        assert json.loads((out / stage / "result.json").read_text())["finished"]
        rows = list(csv.DictReader((out / stage / "metrics.csv").open()))
        assert rows
        assert list((out / stage / "checkpoints").iterdir())
    found = json.loads((out / "result.json").read_text())["evaluation"]
    assert found["prompts"] == 4
    assert found["win_low"] <= found["win_rate"] <= found["win_high"]
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "result"
    assert last["evaluation"]["win_rate"] == found["win_rate"]
    assert last["evaluations"]["sft"]["loss"] > 0


def test_updates_answers_and_tokens_are_counted(ran):
    """Rates of metrics.csv are of the steps and tokens that JSON lines count."""
    out, done = ran
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    updates = [line for line in lines if line["event"] == "update"]
    for stage, unit in (("sft", "updates"), ("reward", "updates"), ("ppo", "answers")):
        own = [line for line in updates if line["stage"] == stage]
        assert {line["unit"] for line in own} == {unit}
        rows = list(csv.DictReader((out / stage / "metrics.csv").open()))
        assert "steps_per_second" not in rows[0]
        step = own[0]["step"]
        for row, line in zip(rows, own, strict=True):
            share = float(row["tokens_per_second"]) / float(row[f"{unit}_per_second"])
            assert share == pytest.approx(line["tokens"] / step)
    answers = [line for line in updates if line["stage"] == "ppo"]
    for line in answers:
        assert line["tokens"] == round(16 * line["response_length"])
    # Each epoch of three updates goes through the same demonstrations.
    tokens = [line["tokens"] for line in updates]
    assert sum(tokens[:3]) == sum(tokens[3:6])


def test_a_healthy_run_warns_of_nothing(ran):
    out, done = ran
    assert '"event": "health"' not in done.stdout
    assert not list(out.rglob("health.jsonl"))
    assert "nothing unhealthy" in CliRunner().invoke(app, ["diagnose", str(out)]).stdout


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
    assert json.loads(done.stdout) == json.loads((out / "result.json").read_text())["evaluation"]


def test_chat_answers_lines(ran):
    out, _ = ran
    arguments = ["chat", str(out), "--json", "-t", "0"]
    one = CliRunner().invoke(app, arguments, input="say 3:\nsay 4:\n")
    rows = [json.loads(line) for line in one.stdout.splitlines()]
    assert [row["prompt"] for row in rows] == ["say 3:", "say 4:"]
    again = CliRunner().invoke(app, arguments, input="say 4:\n")
    assert json.loads(again.stdout)["answer"] == rows[1]["answer"]


def test_chat_says_what_prompts_look_like(ran, tmp_path):
    out, _ = ran
    arguments = ["chat", str(out), "-t", "0"]
    example = json.loads((out / "data" / "demonstrations.jsonl").read_text().splitlines()[0])[
        "prompt"
    ]
    plain = CliRunner().invoke(app, arguments, input=f"{example}\n")
    assert f"  {json.dumps(example)}\n" in plain.stderr
    assert "data/demonstrations.jsonl" in plain.stderr
    quoted = CliRunner().invoke(app, arguments, input=f"{json.dumps(example)}\n")
    assert quoted.stdout == plain.stdout
    broken = CliRunner().invoke(app, [*arguments, "--json"], input='"a\\nb:"\n"say 3:\n')
    prompts = [json.loads(line)["prompt"] for line in broken.stdout.splitlines()]
    assert prompts == ["a\nb:", '"say 3:']
    assert broken.stderr == ""


def test_an_example_does_not_steer_the_terminal():
    hostile = "\x1b]0;x\x07\u202e\x9b2J" + "a" * 10**6
    said = _introduction(Example(hostile, "data/prompts.jsonl"), 64)
    assert len(said) < 600
    assert said.replace("\n", "").isprintable()
    assert "not known" in _introduction(None, 64)


def test_a_finished_run_is_not_repeated(ran):
    out, _ = ran
    before = (out / "ppo" / "metrics.csv").read_bytes()
    done = CliRunner().invoke(app, ["run", str(out), "--resume", "--quiet"])
    assert done.exit_code == 0, done.output
    assert (out / "ppo" / "metrics.csv").read_bytes() == before


def test_transformers_loads_what_is_exported(ran, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out, _ = ran
    target = tmp_path / "model"
    done = CliRunner().invoke(app, ["export", str(out), "--format", "transformers", "-o", target])
    assert done.exit_code == 0, done.output
    lm, tokenizer = (c.from_pretrained(target) for c in (AutoModelForCausalLM, AutoTokenizer))
    text = tokenizer("say 3:", return_tensors="pt")
    found = lm.generate(**text, do_sample=False, max_new_tokens=16)[0, text.input_ids.shape[1] :]
    asked = ["chat", str(out), "-t", "0", "--json"]
    answer = json.loads(CliRunner().invoke(app, asked, input="say 3:\n").stdout)["answer"]
    assert tokenizer.decode(found, skip_special_tokens=True) == answer


def test_verbs_go_back_from_damaged_checkpoints(ran, tmp_path):
    folder, _ = ran
    for words in (
        ["eval", "RUN", "-n", "2"],
        ["chat", "RUN"],
        ["export", "RUN", "--format", "transformers"],
    ):
        out = shutil.copytree(folder, tmp_path / words[0])
        *_, good, newest = sorted((out / "ppo" / "checkpoints").iterdir())
        (newest / TENSORS).write_bytes(b"damaged")
        words[1] = str(out)
        done = CliRunner().invoke(app, words, input="say 3:\n")
        assert done.exit_code == 0, done.output
        assert done.stderr.count("warning: going back to") == 1
        assert all(str(path) in done.stderr for path in (good, newest))


def test_verbs_for_agents_refuse_a_language_model(ran):
    out, _ = ran
    for words in (["export", "--format", "onnx"], ["eval", "--video", "x.mp4"]):
        done = CliRunner().invoke(app, [words[0], str(out), *words[1:]])
        assert done.exit_code == 2, done.output
        assert "is for `kind: control`, and" in done.stderr
        assert "is of `kind: rlhf`" in done.stderr


def test_missing_packages_are_named(ran, monkeypatch):
    from ppoc.runtime.rlhf import kind

    out, _ = ran
    monkeypatch.setattr(kind, "find_spec", lambda name: None if name == "transformers" else name)
    done = CliRunner().invoke(app, ["run", str(out), "--resume", "-q"])
    assert done.exit_code == 3
    assert "pip install 'ppoc[rlhf]'" in done.output


def test_a_fault_in_the_data_is_told_before_the_run(tmp_path):
    spec = write_toy(tmp_path)
    path = tmp_path / "preferences.jsonl"
    path.write_text(path.read_text() + '{"prompt": "x", "chosen": "y"}\n')
    number = len(path.read_text().splitlines())
    done = CliRunner().invoke(app, ["run", str(spec), "-o", str(tmp_path / "run"), "-q"])
    assert done.exit_code == 1
    assert f"preferences.jsonl:{number}" in done.exception.diagnostics[0].span.label()


def test_too_little_memory_is_one_message(toy_module, tmp_path, monkeypatch):
    def greedy(run):
        raise MemoryError("Unable to allocate 3 TiB")

    module = toy_module()
    monkeypatch.setitem(module.INTERFACE.stages, "sft", greedy)
    with pytest.raises(RunError, match=r"(?s)out of memory: Unable to .*ppo\.minibatch_size"):
        execute(module, tmp_path, mode="quiet")


def test_code_of_others_does_not_end_the_process_as_if_all_were_well(
    toy_module, tmp_path, monkeypatch
):
    module = toy_module()
    monkeypatch.setitem(module.INTERFACE.stages, "sft", lambda run: sys.exit(0))
    with pytest.raises(RunError, match=r"ended by sys\.exit\(0\)"):
        execute(module, tmp_path, mode="quiet")
