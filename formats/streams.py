"""Standard streams that serve when closed, of a small encoding, or shared with code of others.

Python has None for a stream that was closed, and the next file that is opened gets its number, and
what is written to it. An encoding that lacks a character raises. Code of others prints among the
lines that a program reads.
"""

import codecs
import ctypes
import io
import itertools
import os
import sys
import unicodedata
import warnings
from pathlib import Path
from typing import TextIO

from ppoc.formats.text import printable

ERRORS = "ppoc.readable"
SPELT = {
    "·": "*", "×": "x", "÷": "/", "±": "+-", "−": "-", "‐": "-", "–": "-", "—": "-", "…": "...",
    "→": "->", "←": "<-", "↦": "->", "√": "sqrt", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=",
    "∞": "inf", "∘": "o", "⊥": "_|_", "⌊": "floor(", "⌋": ")", "′": "'", "‘": "'", "’": "'",
    "“": '"', "”": '"', "µ": "u", "Â": "A^", "½": "1/2", "∑": "sum", "∏": "prod", "∇": "grad",
    "•": "*", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
MARKS = {"<super>": "^", "<sub>": "_"}
PACKAGE = str(Path(__file__).resolve().parent.parent)
GREEK = ("GREEK SMALL LETTER ", "GREEK CAPITAL LETTER ")
PLAIN = ("strict", "surrogateescape", "backslashreplace")  # error handlers that nobody asked for

# Standard output as it was, and the stream for results, once it is for nothing else.
_kept: list[tuple[TextIO, TextIO]] = []


def open_streams() -> None:
    """Make standard streams usable, before any file is opened that could take their place.

    One that is closed becomes the null device, for this process and those that it starts. What an
    encoding lacks is spelt in ASCII: ± as +-, ε as epsilon, others by their number.
    """
    codecs.register_error(ERRORS, _readable)
    warnings.formatwarning = _warning_line
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            stream = os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if isinstance(sys.stdin, io.TextIOWrapper) and sys.stdin.errors == "strict":
        sys.stdin.reconfigure(errors="replace")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in PLAIN:
            stream.reconfigure(errors=ERRORS)


def keep_for_results() -> None:
    """Leave standard output to `results()` from here on; what others print goes to standard error.

    So do prints of code that is not Python's and of processes that are started.
    """
    if _is_kept():
        return
    out = sys.stdout
    out.flush()
    try:
        number = out.fileno()
        kept = os.dup(number)
        os.dup2(sys.stderr.fileno(), number)
    except OSError:  # not of a file, as in tests
        _kept.append((out, out))
    else:
        _kept.append((out, os.fdopen(kept, "w", encoding=out.encoding, errors=out.errors)))
    sys.stdout = sys.stderr


def results() -> TextIO:
    """The stream for what a program reads."""
    return _kept[0][1] if _is_kept() else sys.stdout


def _is_kept() -> bool:
    """Whether standard output is kept for results, which ends where its stream is closed."""
    if _kept and _kept[0][1].closed:
        _kept.clear()
    return bool(_kept)


def release() -> None:
    """Let standard output be what it was before `keep_for_results`."""
    if not _is_kept():
        return
    sys.stdout, kept = _kept.pop()
    if kept is not sys.stdout:
        kept.flush()
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)  # what C has not written yet belongs to standard error
        os.dup2(kept.fileno(), sys.stdout.fileno())
        kept.close()


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is shown by a terminal that can do more than print line after line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def shows_colour(stream: TextIO) -> bool:
    """Whether to colour what a stream gets (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def encodes_all(stream: TextIO) -> bool:
    """Whether a stream takes every character."""
    return (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")


def _readable(error: UnicodeError) -> tuple[str, int]:
    """The ASCII text in place of characters that an encoding lacks; as `codecs` wants it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = ""
    for mark, some in itertools.groupby(error.object[error.start : error.end], _mark):
        words = [_spelt(character) for character in some]
        if mark:
            text += mark + (words[0] if len(words) == 1 else f"{{{''.join(words)}}}")
            continue
        for word in words:
            text += " " if text[-2:].isalpha() and word[:2].isalpha() else ""
            text += word
    return text, error.end


def _mark(character: str) -> str:
    """How to mark a character that is raised or lowered."""
    return MARKS.get(unicodedata.decomposition(character).partition(" ")[0], "")


def _spelt(character: str) -> str:
    if character in SPELT:
        return SPELT[character]
    if "\u2500" <= character <= "\u257f":  # lines of boxes
        return {"─": "-", "━": "-", "│": "|", "┃": "|"}.get(character, "+")
    if _mark(character):
        plain = unicodedata.normalize("NFKC", character)
        return plain if plain.isascii() else "".join(map(_spelt, plain))
    name = unicodedata.name(character, "")
    for start in GREEK:
        letter = name.removeprefix(start)
        if letter != name and letter.isalpha():
            letter = letter.lower().replace("lamda", "lambda")
            return letter.capitalize() if "CAPITAL" in start else letter
    return character.encode("ascii", "backslashreplace").decode()


def _warning_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A warning as it is shown: those that ppoc gives are for its users, without a line of code."""
    text = printable(str(message))
    if filename.startswith(PACKAGE):
        return f"warning: {text}\n"
    return f"{printable(filename)}:{lineno}: {category.__name__}: {text}\n"
