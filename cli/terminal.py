"""What the verbs share: exit codes, and how they talk to the terminal.

All that they print goes through here, so that no text of a spec, a file or a library steers the
terminal or floods it; this is the only file of `ppoc.cli` that prints.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import typer

from ppoc.compiler.diagnostics import Diagnostic, render
from ppoc.formats.text import escaped, escaped_json, lines

SPEC_IS_WRONG = 1
MISUSE = 2
RUN_FAILED = 3
UNREAD = 128 + signal.SIGPIPE  # what shells say of a tool whose reader has gone


def say(text: str) -> None:
    """Lines for the person at the terminal, not for a pipe."""
    _write(sys.stderr, lines(text))


def tell(text: str) -> None:
    """Lines of the result of a long run, which is not to fail for want of a reader."""
    _write(sys.stdout, lines(text))


def show(text: str) -> None:
    """Lines of a result, for people."""
    print(lines(text), flush=True)


def write(text: str, end: str = "\n") -> None:
    """A whole text of ppoc's own, such as a spec or a page, however long it is."""
    print(escaped(text), end=end, flush=True)


def document(value: Any, indent: int | None = 2, ascii: bool = True) -> None:
    """A result as JSON, for programs: numbers that are not finite as JSON in Python has them."""
    data(json.dumps(value, indent=indent, ensure_ascii=ascii))


def data(text: str) -> None:
    """A result that is JSON already."""
    print(escaped_json(text), flush=True)


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
        _write(sys.stderr, render(diagnostics, color=sys.stderr.isatty()))


def count(number: int, what: str) -> str:
    """A number of things, such as `2 specs`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def fail(code: int, text: str) -> NoReturn:
    """End with an exit code and one message."""
    say(f"error: {text}")
    raise typer.Exit(code)
