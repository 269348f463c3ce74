"""What the verbs share: exit codes, and how they talk to the terminal."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from ppoc.compiler.diagnostics import Diagnostic, render

SPEC_IS_WRONG = 1
MISUSE = 2
RUN_FAILED = 3


def say(text: str) -> None:
    """A line for the person at the terminal, not for a pipe."""
    print(text, file=sys.stderr, flush=True)


def report(diagnostics: Sequence[Diagnostic]) -> None:
    """Print diagnostics, in colour where there is a terminal."""
    if diagnostics:
        say(render(diagnostics, color=sys.stderr.isatty()))


def count(number: int, what: str) -> str:
    """A number of things, such as `2 specs`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def fail(code: int, text: str) -> NoReturn:
    """End with an exit code and one message."""
    say(f"error: {text}")
    raise typer.Exit(code)
