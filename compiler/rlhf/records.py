"""JSON Lines with places: the values of each line's object, and where on the line they stand."""

import json
from collections.abc import Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.compiler.front.diagnostics import Span
from ppoc.formats.reading import open_regular

LONGEST_LINE = 16 * 2**20  # bytes; a longer one is no example but a damaged file
DECODER = json.JSONDecoder()


class Entry(NamedTuple):
    """A value of an object, with its columns on the line, from 0 and the end exclusive."""

    value: Any
    start: int
    end: int


class FaultError(Exception):
    """A fault of a line, and its place: columns from 0, the end exclusive."""

    def __init__(
        self, message: str, start: int = 0, end: int | None = None, help: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help


class Line(NamedTuple):
    """A line of a file that is not empty."""

    source: str
    number: int
    text: str

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """A part of the line."""
        last = len(self.text) if end is None else end
        return Span(self.source, self.number, start + 1, max(start, last) + 1, self.text)


def lines(path: Path, source: str) -> Iterator[tuple[Line, FaultError | None]]:
    """The lines of a file, which diagnostics call `source`; with what makes one unreadable.

    Raises:
        OSError: the file cannot be read.
        FormatError: it is no regular file.
    """
    with open_regular(path, follow=True) as file:
        for number, data in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
            data = data.rstrip(b"\r\n")
            if not data.strip():
                continue
            text = data.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
            line = Line(source, number, text)
            if len(data) > LONGEST_LINE:
                help = "one object a line; is a line end missing?"
                yield line, FaultError(f"the line is longer than {LONGEST_LINE:,} bytes", help=help)
                return  # what follows is the rest of it
            try:
                data.decode()
            except UnicodeDecodeError as error:
                column = len(data[: error.start].decode())
                message = f"byte {data[error.start]:#04x} is not UTF-8"
                yield line, FaultError(message, column, column + 1, "save the file as UTF-8")
                continue
            yield line, None


def entries(text: str) -> dict[str, Entry]:
    """Key → value of the object that a line is.

    Raises:
        FaultError: the line is not one JSON object, or has a key twice.
    """
    try:
        value, end = DECODER.raw_decode(text, _skip(text, 0))
    except JSONDecodeError as error:
        at = min(error.pos, max(len(text) - 1, 0))
        raise FaultError(f"not JSON: {error.msg}", at, at + 1, "one object a line") from None
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FaultError(message, help="one flat object a line") from None
    rest = _skip(text, end)
    if rest < len(text):
        message, help = "something follows the object", "one object a line"
        raise FaultError(message, rest, help=help)
    if not isinstance(value, dict):
        raise FaultError(
            f"a line is {kind(value)}", help='write an object, such as {"prompt": "…"}'
        )
    return _places(text)


def _places(text: str) -> dict[str, Entry]:
    """The entries of text known to be an object."""
    found: dict[str, Entry] = {}
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        start = at
        key, at = scanstring(text, at + 1, True)
        if key in found:
            raise FaultError(f"the key {key[:80]!r} is given twice", start, at, "keep one")
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        value, end = DECODER.raw_decode(text, at)
        found[key] = Entry(value, at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def kind(value: Any) -> str:
    """The kind of a JSON value, in words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")
