"""No process that ppoc starts imports anything from the folder that it stands in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SPECS = Path(__file__).parents[2] / "specs"
# Modules that Python, multiprocessing, torch and ppoc itself import once they run.
PLANTED = (
    *("multiprocessing", "signal", "pickle", "threading", "socket", "struct", "tempfile", "random"),
    *("logging", "argparse", "torch", "numpy", "typer", "gymnasium", "rich", "sitecustomize"),
    *("click", "pydantic", "ruamel", "_posixsubprocess", "resource", "selectors", "runpy"),
    *("ctypes", "textwrap", "mujoco", "glfw"),
)


@pytest.fixture
def here(tmp_path):
    """A stranger's folder: 21 specs, with modules beside them that leave a mark when they run.

    One is of MuJoCo, whose glfw starts a process of its own.
    """
    shutil.copyfile(SPECS / "ppo" / "halfcheetah.yaml", tmp_path / "halfcheetah.yaml")
    for number in range(20):
        shutil.copyfile(SPECS / "ppo" / "cartpole.yaml", tmp_path / f"{number}.yaml")
    for name in PLANTED:
        (tmp_path / f"{name}.py").write_text("open('/dev/stderr', 'w').write('PLANTED')\n1 / 0\n")
    return tmp_path


MANY_CORES = (
    "import os, sys; os.cpu_count = lambda: 4; sys.argv[0] = 'ppoc'; "
    "from ppoc.cli.app import main; main()"
)
STARTS = {
    "the command": [Path(sys.executable).parent / "ppoc"],
    "the package": [sys.executable, "-m", "ppoc.cli"],
    "without an environment": [sys.executable, "-E", "-P", "-m", "ppoc.cli"],
    "many cores": [sys.executable, "-P", "-c", MANY_CORES],
}


@pytest.mark.parametrize(
    ("start", "flags"), [*((start, ["--no-probe"]) for start in STARTS), ("the command", [])]
)
def test_specs_are_checked_beside_planted_modules(here, start, flags):
    command = [*STARTS[start], "check", *flags, "."]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert "PLANTED" not in done.stderr
    assert (done.returncode, done.stdout) == (0, "ok: 21 specs checked\n"), done.stderr


def test_what_environments_start_searches_what_it_searched_before(monkeypatch):
    from ppoc.formats.processes import restore, safe_path

    for before in (None, "1"):
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        restore(before)
        with safe_path() as kept:
            assert os.environ["PYTHONSAFEPATH"] == "1"
            assert kept == before
        assert os.environ.get("PYTHONSAFEPATH") == before


def test_what_is_imported_starts_processes_that_search_nothing_here(tmp_path, monkeypatch):
    """As glfw does, when mujoco is imported."""
    (tmp_path / "starting.py").write_text(
        "import subprocess, sys\n"
        "code = 'import ctypes, sys; print(sys.path)'\n"
        "found = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE).stdout\n"
    )
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "ctypes.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(tmp_path)
    from ppoc.formats.processes import import_entry_point, import_safely

    import_entry_point("starting:Env")
    assert import_safely("starting").found.startswith(b"['/")
    import_entry_point(object)  # as gymnasium has classes too


def test_what_compiles_starts_processes_that_search_nothing_here(monkeypatch):
    """Inductor asks `python -c` what the processor can."""
    import torch
    import torch._inductor

    from ppoc.runtime.learning.compiled import build

    found = []
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setattr(
        torch._inductor,
        "aoti_compile_and_package",
        lambda *arguments, **settings: found.append(os.environ.get("PYTHONSAFEPATH")),
    )

    def twice(x):
        return 2 * x

    build(twice, (torch.ones(3),), lambda text: None)
    assert found == ["1"]
    assert "PYTHONSAFEPATH" not in os.environ
