"""Exit codes, and how verbs talk to the terminal.

Everything that they print goes through here, so that no text of a spec, a file or a library
steers the terminal or floods it; this is the only file of `ppoc.cli` that prints.
"""

import contextlib
import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import typer

from ppoc.compiler.front.diagnostics import Diagnostic, render
from ppoc.formats import streams
from ppoc.formats.text import escaped, escaped_json, lines

SPEC_IS_WRONG = 1
MISUSE = 2
RUN_FAILED = 3
UNREAD = 128 + signal.SIGPIPE  # what shells say of a tool whose reader has gone


def only_results() -> None:
    """Leave standard output to what a program reads; prints of others go to standard error."""
    streams.keep_for_results()


def put(text: str, end: str = "\n") -> None:
    """A whole result, for a person or a program, however long it is."""
    print(escaped(text), end=end, file=streams.results(), flush=True)


def as_json(document: Any, indent: int | None = 2) -> str:
    """JSON that its stream can hold, with "nan" and "inf" for numbers that it has not."""
    plain = not streams.encodes_all(streams.results())
    text = json.dumps(_finite(document), indent=indent, ensure_ascii=plain, allow_nan=False)
    return escaped_json(text)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def say(text: str) -> None:
    """Lines for the person at the terminal, not for a pipe."""
    _write(sys.stderr, lines(text))


def tell(text: str) -> None:
    """Lines of the result of a long run, which is not to fail for want of a reader."""
    _write(streams.results(), lines(text))


def show(text: str) -> None:
    """Lines of a result, for people: long ones and the last ones are shortened."""
    put(lines(text))


def data(text: str) -> None:
    """A result that is JSON already."""
    put(escaped_json(text))


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
        _write(sys.stderr, render(diagnostics, color=streams.shows_colour(sys.stderr)))


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
