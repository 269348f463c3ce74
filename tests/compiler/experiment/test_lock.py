"""The lock of an experiment stands alone, and compiles to the same runs."""

import os
import shutil
from pathlib import Path

import pytest

from ppoc.compiler.output.build import LOCK, compile_spec
from ppoc.compiler.resolve import resolve
from zoo import ZOO

AGENTS = """\
ppoc: 1
kind: experiment
base: base/own.yaml
variants:
  plain: {}
  to-go: {base: reinforce-to-go/cartpole, training.total_steps: 51_200}
  inline: {base: {algorithm: a2c, env: {id: CartPole-v1}}}
vary: {advantage.γ: [0.9, 0.99]}
tasks: [CartPole-v1]
seeds: [3]
"""
MODELS = """\
ppoc: 1
kind: experiment
base: base/tiny.yaml
variants:
  plain: {}
  own: {data.demonstrations: own.jsonl}
vary: {data.prompts: [prompts.jsonl]}
seeds: [3]
"""


@pytest.fixture
def folder(tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    (base / "own.yaml").write_text("ppoc: 1\nalgorithm: ppo\nenv: {id: Acrobot-v1}\n")
    shutil.copy(ZOO / "rlhf/tiny.yaml", base)
    shutil.copytree(ZOO / "rlhf/tiny", base / "tiny")
    shutil.copy(ZOO / "rlhf/tiny/demonstrations.jsonl", tmp_path / "own.jsonl")
    shutil.copy(ZOO / "rlhf/tiny/prompts.jsonl", tmp_path / "prompts.jsonl")
    return tmp_path


@pytest.mark.parametrize("text", [AGENTS, MODELS], ids=["agents", "models"])
def test_a_lock_elsewhere_compiles_to_the_same_runs(text, folder, tmp_path_factory):
    (folder / "spec.yaml").write_text(text)
    here = compile_spec(resolve(folder / "spec.yaml"))
    out = tmp_path_factory.mktemp("elsewhere")
    here.write(out)
    shutil.rmtree(folder / "base" / "own.yaml", ignore_errors=True)
    os.remove(folder / "base" / "tiny.yaml")
    os.remove(folder / "base" / "own.yaml")
    there = compile_spec(resolve(out / LOCK))
    assert there.lock == here.lock
    assert [*there.members] == [*here.members]
    for name, run in here.members.items():
        assert there.members[name].module == run.module
        assert there.members[name].data == run.data
        files = {path.name for path in (out / name).iterdir()}
        assert {"module.py", "spec.lock.yaml", "manifest.json"} <= files


def test_values_of_a_lock_say_where_they_come_from(folder):
    (folder / "spec.yaml").write_text(AGENTS)
    lock = compile_spec(resolve(folder / "spec.yaml")).lock
    assert "  algorithm: ppo  # own.yaml:2" in lock
    assert "      algorithm: a2c  # spec.yaml:7" in lock
    assert "seeds: [3]  # spec.yaml:10" in lock


def test_files_of_changes_lie_beside_the_experiment(folder):
    (folder / "spec.yaml").write_text(MODELS)
    resolved = resolve(folder / "spec.yaml")
    plain, own = resolved.members
    assert plain.resolved.file("data", "demonstrations").parent == folder / "base" / "tiny"
    assert own.resolved.file("data", "demonstrations") == folder / "own.jsonl"
    assert Path(resolved.whole.plain()["vary"]["data.prompts"][0]) == folder / "prompts.jsonl"
