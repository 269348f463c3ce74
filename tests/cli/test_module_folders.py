"""Folders that `python module.py --out X` and an ejected module leave are read by the verbs."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ppoc.runtime.errors import RunError
from ppoc.runtime.run.belongings import make_folder

DATA = "data/demonstrations.jsonl"
SHORT = (
    "-s",
    "training.total_steps=256",
    "-s",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 1}",
    "-s",
    "evaluation.episodes=2",
)


def script(path, *arguments):
    command = [sys.executable, path, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def test_verbs_read_what_a_module_left(ppoc, tmp_path):
    assert ppoc("init", "agent.yaml").code == 0
    assert ppoc("compile", "agent.yaml", *SHORT, "--out", "compiled").code == 0
    done = script("compiled/module.py", "--out", "run")
    assert done.returncode == 0, done.stderr
    for name in ("module.py", "spec.lock.yaml", "manifest.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "compiled" / name).read_bytes()
    result = json.loads((tmp_path / "run" / "result.json").read_text())["evaluation"]
    assert json.loads(ppoc("eval", "run", "--json").out) == result
    assert "there is nothing to resume" in ppoc("run", "run", "--resume").out
    assert "finished after 256 of 256 steps" in ppoc("diagnose", "run").out
    assert ppoc("diff", "run", "compiled").out == "the specs mean the same\n"
    assert ppoc("export", "run", "--format", "torchscript").code == 0


def test_verbs_read_what_an_ejected_module_left(ppoc, tmp_path):
    assert ppoc("init", "agent.yaml").code == 0
    assert ppoc("eject", "agent.yaml", *SHORT, "--out", "alone").code == 0
    done = script("alone/module.py", "--out", "run")
    assert done.returncode == 0, done.stderr
    mean = json.loads((tmp_path / "run" / "result.json").read_text())["evaluation"]["mean"]
    assert json.loads(ppoc("eval", "run", "--json").out)["mean"] == mean
    assert not (tmp_path / "run" / "ppoc").exists()


def test_verbs_say_what_they_need_of_a_folder_with_a_module_alone(ppoc, tmp_path):
    assert ppoc("init", "agent.yaml").code == 0
    assert ppoc("run", "agent.yaml", *SHORT, "--out", "run", "-q").code == 0
    for name in ("spec.lock.yaml", "manifest.json"):
        (tmp_path / "run" / name).unlink()
    for verb in (("eval", "run"), ("run", "run", "--resume")):
        refused = ppoc(*verb)
        assert refused.code == 2
        assert "has no manifest.json beside it" in refused.err
    assert ppoc("eval", "run", "--modified", "--json").code == 0
    assert "nothing to resume" in ppoc("run", "run", "--resume", "--modified").out
    assert "finished after 256 steps" in ppoc("diagnose", "run").out
    for verb in (("diff", "agent.yaml"), ("describe",), ("explain",)):
        refused = ppoc(*verb, "run")
        assert refused.code == 2
        assert "run has no spec.lock.yaml" in refused.err


@pytest.fixture
def module(tmp_path):
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    for name in ("module.py", "spec.lock.yaml", "manifest.json", "mine.txt", DATA):
        (home / name).write_text(f"of {name}")
    return SimpleNamespace(__file__=str(home / "module.py"))


def files(folder):
    return {str(x.relative_to(folder)): x.read_text() for x in folder.rglob("*") if x.is_file()}


def test_a_run_folder_has_what_the_module_came_with(module, tmp_path):
    make_folder(module, tmp_path / "run", resume=False, data=(DATA,))
    names = ("module.py", "spec.lock.yaml", "manifest.json", DATA)
    assert files(tmp_path / "run") == {name: f"of {name}" for name in names}
    make_folder(module, tmp_path / "run", resume=False, data=(DATA,))  # equal files are left alone
    before = files(tmp_path / "home")
    make_folder(module, tmp_path / "home", resume=False)
    assert files(tmp_path / "home") == before


def test_a_module_of_another_name_takes_no_lock_along(module, tmp_path):
    (tmp_path / "home" / "alone.py").write_text("alone")
    alone = SimpleNamespace(__file__=str(tmp_path / "home" / "alone.py"))
    make_folder(alone, tmp_path / "run", resume=False)
    assert files(tmp_path / "run") == {"module.py": "alone"}


def test_another_module_is_not_overwritten(module, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "module.py").write_text("another")
    with pytest.raises(RunError, match=r"has another module\.py: give another --out"):
        make_folder(module, run, resume=False)
    make_folder(module, run, resume=True)
    assert files(run) == {"module.py": "another"}


def test_a_folder_that_cannot_be_made_is_one_message(module, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot make"):
        make_folder(module, tmp_path / "file", resume=False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "module.py").symlink_to(tmp_path / "file")
    with pytest.raises(RunError, match="symbolic link"):
        make_folder(module, tmp_path / "run", resume=False)
    assert (tmp_path / "file").read_text() == ""
