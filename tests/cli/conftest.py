"""The command line, called as its users call it."""

import io
import sys
from types import SimpleNamespace

import pytest

from ppoc.cli.app import main


@pytest.fixture
def ppoc(monkeypatch, capsys, tmp_path):
    """Run `ppoc ARGS` in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for name in ("ENGINE", "BASE_URL", "MODEL", "API_KEY"):
        monkeypatch.delenv(f"PPOC_DRAFT_{name}", raising=False)

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["ppoc", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit:
            code = exit.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return SimpleNamespace(code=code, out=out, err=err)

    return run


@pytest.fixture
def spec(tmp_path, ppoc):
    """The spec that `ppoc init` writes."""
    path = tmp_path / "agent.yaml"
    assert ppoc("init", path).code == 0
    return path


@pytest.fixture
def trained(request, ppoc, spec):
    """A run folder after a training with the options `SHORT` of the test's module."""
    options = request.module.SHORT
    assert ppoc("run", spec, *options, "--out", "trained", "--quiet").code == 0
    return spec.parent / "trained"
