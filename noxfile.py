"""The checks of .ci/run one by one, each in an environment of its own.

nox                      # lint, types, imports, tests
nox -s lint types
nox -s tests -- tests/compiler -x -q
nox -s slow -- tests/runtime/test_resume.py
nox -s coverage -- tests/compiler
"""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "imports", "tests"]
nox.options.reuse_existing_virtualenvs = True
CONFIG = str(Path(__file__).parent / "pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PACKAGES = (
    *("cli", "compiler", "draft", "experiments", "exporting", "formats", "importing"),
    *("reporting", "runtime"),
)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and whether ruff would format it otherwise."""
    session.install("ruff>=0.11")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strict but of tests. An ordinary install: mypy does not follow an editable one."""
    session.install(".[test]")
    session.chdir(session.create_tmp())  # where no folder is taken for a package
    names = [word for name in PACKAGES for word in ("-p", f"ppoc.{name}")]
    session.run("mypy", "--config-file", CONFIG, *names)
    session.chdir(Path(CONFIG).parent)
    session.run("mypy", "tests")


@nox.session
def imports(session: nox.Session) -> None:
    """Layers: imports go one way. An ordinary install, as for types."""
    session.install(".[test]")
    session.chdir(session.create_tmp())
    session.run("lint-imports", "--config", CONFIG)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, without slow ones; of one Python with `nox -s tests-3.11`."""
    session.install("-e", ".[test]")
    session.run("pytest", *(session.posargs or ["-n", "auto"]))


@nox.session
def slow(session: nox.Session) -> None:
    """Tests that take minutes; name the files that you changed."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Lines and branches that the tests reach; of some of them, of what they test."""
    session.install("-e", ".[test]")
    session.run("coverage", "erase")
    # Their limit on the size of files holds for the data of coverage as well.
    names = ("a_line_that_does_not_fit_is_taken_back", "a_file_that_does_not_fit_leaves_the_old")
    left_out = ["-k", " and ".join(f"not {name}" for name in names)]
    chosen = session.posargs or ["-n", "auto"]
    session.run("coverage", "run", "-m", "pytest", *left_out, *chosen)
    session.run("coverage", "combine")
    session.run("coverage", "report")
