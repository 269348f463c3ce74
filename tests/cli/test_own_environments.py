"""Environments of strangers under `ppoc run` and what comes after it, in processes of their own."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

import strangers

SPEC = """\
ppoc: 1
name: foreign
algorithm: ppo
env: {{id: 'foreign:{name}', num_envs: 1}}
networks: {{actor: {{layers: [8]}}, critic: {{layers: [8]}}}}
update: {{rollout_steps: 32, epochs: 1, minibatch_size: all}}
training: {{total_steps: 64, compile: never, device: cpu}}
evaluation: {{episodes: 1}}
"""


def ppoc(cwd, *arguments):
    """The command, with its own packages alone on the path; ends when its output is closed."""
    done = subprocess.run(
        [sys.executable, "-m", "ppoc.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": "", "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "specs").mkdir()
    shutil.copy(strangers.__file__, tmp_path / "specs" / "foreign.py")
    return tmp_path


def spec(folder, name):
    path = folder / "specs" / "spec.yaml"
    path.write_text(SPEC.format(name=name))
    return path


@pytest.mark.parametrize("name", ["exits", "generator"])
def test_an_environment_that_ends_its_process_trains_nothing_and_exits_with_1(folder, name):
    done = ppoc(folder, "run", spec(folder, name), "--trust", "--out", "run")
    assert (done.code, "error[E130]" in done.err) == (1, True)
    assert not (folder / "run").exists()


def test_a_first_spec_of_an_environment_of_ones_own(folder):
    """`env` is code, which is refused without --trust, by every verb that takes a spec."""
    start = ("init", "--env", "foreign:Good")
    done = ppoc(folder / "specs", *start)
    assert (done.code, "error[E119]" in done.err) == (1, True)
    assert ppoc(folder / "specs", *start, "--trust").code == 0
    done = ppoc(folder, "check", "--trust", "specs")
    assert (done.code, done.out) == (0, "ok: 1 spec checked, 1 warning\n")
    assert "warning[W212]" in done.err  # it says no time limit
    for verb in (("compile",), ("run",), ("eject", "-o", "module.py"), ("variance",)):
        done = ppoc(folder, *verb, "specs/spec.yaml")
        assert (done.code, "error[E119]" in done.err) == (1, True)


def test_a_class_beside_the_spec_is_trained_and_found_again_from_elsewhere(folder):
    """Its episodes start processes that sleep, with the output of the command open."""
    done = ppoc(folder, "run", spec(folder, "children"), "--trust", "--out", "run")
    assert done.code == 0, done.err
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    module = folder / "specs" / "foreign.py"
    module.write_text(module.read_text().replace("reset=_starts_a_child", ""))
    assert "mean return 20.00" in ppoc(elsewhere, "eval", folder / "run").out
