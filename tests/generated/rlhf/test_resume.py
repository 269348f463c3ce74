"""A run that is killed or stopped in any stage, and resumed, ends as the uninterrupted one."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from safetensors.torch import load_file

from rlhf_toy import write_toy

pytest.importorskip("transformers")

# Runs what the folder still lacks; in the stage given, a signal comes after so many updates.
CHILD = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    from ppoc.runtime.run.launch import load_module
    from ppoc.runtime.rlhf.launch import execute
    from ppoc.runtime.rlhf.stage import Stage
    import torch

    torch.set_num_threads(1)
    folder, stage, updates, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    log, count = Stage.log, 0

    def counting(self, steps, metrics, **counts):
        global count
        log(self, steps, metrics, **counts)
        count += self.name == stage
        if count == updates and self.name == stage:
            os.kill(os.getpid(), int(number))

    Stage.log = counting
    result = execute(load_module(folder / "module.py"), folder, mode="quiet")
    sys.exit(0 if result.finished else 3)
    """
)
VARIANT = (
    "model.config.dropout=0.1",
    "ppo.kl={target: 3.0, beta: 0.1}",
    "ppo.episodes=64",
    "training.checkpoint_every=3",
)


def start(folder, stage="none", updates=0, number=0):
    """The exit code of a process that trains in a folder."""
    command = [sys.executable, "-c", CHILD, str(folder), stage, str(updates), str(int(number))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, timeout=480).returncode


def state(folder):
    """All that is to be the same: checkpoints, metrics without their times, the comparison."""
    found = {}
    for stage in ("sft", "reward", "ppo"):
        newest = sorted((folder / stage / "checkpoints").glob("step-*"))[-1]
        tensors = load_file(newest / "tensors.safetensors")
        found[stage] = newest.name, {name: t.numpy().tobytes() for name, t in tensors.items()}
        found[stage, "checkpoint"] = (newest / "checkpoint.json").read_text()
        found[stage, "result"] = result_of(folder / stage)
        rows = list(csv.DictReader((folder / stage / "metrics.csv").open()))
        found[stage, "metrics"] = [
            {key: value for key, value in row.items() if not key.endswith("_per_second")}
            for row in rows
        ]
        evaluations = folder / stage / "evaluations.jsonl"
        found[stage, "evaluations"] = evaluations.exists() and evaluations.read_text()
    found["comparison"] = json.loads((folder / "comparison.json").read_text())
    found["result"] = result_of(folder)
    return found


def result_of(folder):
    """The content of result.json, without the time."""
    result = json.loads((folder / "result.json").read_text())
    del result["seconds"]
    return result


def uninterrupted(folder, *overrides):
    """A compiled folder, and the state of its uninterrupted run."""
    from ppoc.compiler.output.build import compile_spec
    from ppoc.compiler.resolve import resolve

    compiled = compile_spec(resolve(write_toy(folder), (*VARIANT, *overrides)))
    compiled.write(folder / "run")
    assert start(folder / "run") == 0
    return compiled, state(folder / "run")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return uninterrupted(tmp_path_factory.mktemp("whole"))


MOMENTS = (("sft", 8), ("reward", 1), ("reward", 7), ("ppo", 2))


@pytest.mark.parametrize(
    ("number", "moments"),
    [
        pytest.param(signal.SIGKILL, (MOMENTS[0], MOMENTS[3]), id="killed-twice"),
        pytest.param(signal.SIGKILL, MOMENTS, id="killed", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, MOMENTS, id="stopped", marks=pytest.mark.slow),
    ],
)
def test_interrupted_and_resumed(whole, number, moments, tmp_path):
    compiled, expected = whole
    interrupt(compiled, expected, number, moments, tmp_path)


def test_how_often_stages_save_changes_nothing(whole, tmp_path):
    _, expected = whole
    _, found = uninterrupted(tmp_path, "training.checkpoint_every=1")
    for key, value in expected.items():
        assert found[key] == value, key


@pytest.mark.slow
def test_with_compiled_blocks(tmp_path, monkeypatch):
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "resumed").mkdir()
    compiled, expected = uninterrupted(tmp_path / "whole", "training.compile=always")
    assert compiled.module.count("compile_blocks") == 3
    interrupt(compiled, expected, signal.SIGKILL, MOMENTS, tmp_path / "resumed")


def interrupt(compiled, expected, number, moments, tmp_path):
    """A run into which signals come ends as it is expected."""
    compiled.write(tmp_path)
    for stage, updates in moments:
        code = start(tmp_path, stage, updates, number)
        assert code == (-number if number == signal.SIGKILL else 3)
    assert start(tmp_path) == 0
    found = state(tmp_path)
    for key, value in expected.items():
        assert found[key] == value, key


@pytest.mark.slow
def test_a_stage_that_is_done_is_left_alone(whole, tmp_path):
    compiled, _ = whole
    compiled.write(tmp_path)
    assert start(tmp_path, "reward", 2, signal.SIGTERM) == 3
    files = sorted(path for path in Path(tmp_path / "sft").rglob("*") if path.is_file())
    before = {path: path.read_bytes() for path in files}
    assert start(tmp_path, "ppo", 1, signal.SIGKILL) == -signal.SIGKILL
    assert {path: path.read_bytes() for path in files} == before
