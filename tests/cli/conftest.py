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
