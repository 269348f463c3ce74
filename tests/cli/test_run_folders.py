"""Run folders, given to the verbs that take specs, and specs of the zoo by their names."""

import json

import pytest

from ppoc.cli.folders import holds_run

SHORT = (
    "-s",
    "training.total_steps=256",
    "-s",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 1}",
    "-s",
    "evaluation.episodes=2",
)


def test_a_run_folder_is_not_trained_anew_unasked(ppoc, trained, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    for changes in ((), ("--out", "new"), ("--seed", "2"), ("-q",)):
        done = ppoc("run", trained, *changes)
        assert done.code == 2
        assert f"{trained} holds a run: --resume" in done.err
        assert "--again trains its spec anew, in a new folder" in done.err
    assert ppoc("run", trained, "--resume", "--again").code == 2
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "runs").exists()
    done = ppoc("run", trained, "--again", "-q", "--seed", "2")
    assert done.code == 0
    assert "SEED = 2" in (tmp_path / "runs" / "cartpole-v1-ppo-1" / "module.py").read_text()
    assert before == {path: path.stat().st_mtime_ns for path in trained.rglob("*")}


@pytest.mark.parametrize("left", ["run.lock", "metrics.csv", "ppo/checkpoints", "sft/result.json"])
def test_whatever_training_leaves_makes_a_run_folder(tmp_path, left):
    for name in ("data/demonstrations.jsonl", "module.py", "crash.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert not holds_run(tmp_path)
    (tmp_path / left).parent.mkdir(exist_ok=True)
    (tmp_path / left).touch()
    assert holds_run(tmp_path)


def test_specs_and_folders_are_compared_whatever_kind_each_is(ppoc, spec, trained):
    assert ppoc("compile", spec, "--out", "compiled").code == 0
    assert ppoc("diff", "compiled", "compiled").out == "the specs mean the same\n"
    rows = json.loads(ppoc("diff", "compiled", trained, "--json").out)
    assert {row["path"]: row["right"] for row in rows} == {
        "training.total_steps": 256,
        "update.rollout_steps": 128,
        "update.epochs": 1,
        "evaluation.episodes": 2,
    }
    paths = {row["path"] for row in json.loads(ppoc("diff", trained, spec, "--json").out)}
    assert paths == {row["path"] for row in rows} | {"env.backend"}
    assert "env.id" in ppoc("diff", "ppo/acrobot", trained).out
    assert "env.id" not in ppoc("diff", "specs/ppo/cartpole.yaml", trained).out


def test_a_folder_is_explained_and_described_by_its_lock(ppoc, trained):
    assert ppoc("explain", trained).out == ppoc("explain", trained / "spec.lock.yaml").out
    said = ppoc("describe", trained)
    assert said.code == 0
    assert "train for 256 steps" in " ".join(said.out.split())
    assert ppoc("explain", "ppo/cartpole").out.startswith("cartpole-ppo")


def test_a_folder_without_a_lock_and_a_lock_that_is_a_link_are_misuse(ppoc, spec, trained):
    for verb in (("diff", "agent.yaml"), ("explain",), ("describe",)):
        done = ppoc(*verb, spec.parent)
        assert done.code == 2
        assert "has no spec.lock.yaml: give a spec" in done.err
    (trained / "spec.lock.yaml").rename(spec.parent / "elsewhere.yaml")
    (trained / "spec.lock.yaml").symlink_to(spec.parent / "elsewhere.yaml")
    done = ppoc("diff", trained, spec)
    assert done.code == 2
    assert "spec.lock.yaml is a link that leads out of" in done.err
    assert ppoc("diff", "nothing", spec).code == 1
