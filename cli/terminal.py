"""What the verbs share: exit codes, and how they talk to the terminal."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn, TextIO

import typer

from ppoc.compiler.diagnostics import Diagnostic, render

SPEC_IS_WRONG = 1
MISUSE = 2
RUN_FAILED = 3
UNREAD = 128 + signal.SIGPIPE  # what shells say of a tool whose reader has gone


def say(text: str) -> None:
    """A line for the person at the terminal, not for a pipe."""
    _write(sys.stderr, text)


def tell(text: str) -> None:
    """A line of the result of a long run, which is not to fail for want of a reader."""
    _write(sys.stdout, text)


def _write(file: TextIO, text: str) -> None:
    try:
        print(text, file=file, flush=True)
    except OSError:  # the terminal, or who read the pipe, is gone
        discard(file)


def discard(file: TextIO) -> None:
    """Drop what cannot be written; else Python fails once more, when it ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


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


def fail_by(error: Exception, text: str | None = None, *, debug: bool) -> NoReturn:
    """End as a failed run does, with an error's message and, to debug, its traceback before it."""
    if debug:
        say("".join(traceback.format_exception(error.__cause__ or error)))
    fail(RUN_FAILED, str(error) if text is None else text)
