"""Documents that anybody may have made: read within bounds, and by the version they carry.

JSON may be neither large, nor deep, nor have a key twice. A document says its version as `format`:
a newer one than this version reads is refused, an older one goes through the migrations, one
version at a time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppoc.formats.reading import FormatError, read_regular
from ppoc.formats.text import printable

MAX_DOCUMENT = 16_000_000  # bytes
MAX_DEPTH = 32

Document = dict[str, Any]


class NewerError(FormatError):
    """A document of a version that only a newer ppoc reads."""


@dataclass(frozen=True)
class Format:
    """A kind of document, and what makes an older one current.

    Attributes:
        version: what is written, and read as it is.
        migrations: version → what makes of its documents those of the next; the oldest key is the
            oldest version that can be read.
    """

    name: str
    version: int
    migrations: Mapping[int, Callable[[Document], Document]] = field(default_factory=dict)

    def current(self, document: Document, *, unversioned: int | None = None) -> Document:
        """A document as this version writes it.

        Args:
            unversioned: the version of documents from before they said it.

        Raises:
            FormatError: its version is too old, or none.
            NewerError: it is newer.
        """
        found = document.get("format", unversioned)
        reads = f"this version reads format {self.version}"
        if type(found) is not int:
            raise FormatError(f"the {self.name} has format {printable(str(found), 40)}; {reads}")
        if found > self.version:
            raise NewerError(
                f"the {self.name} has format {found}; {reads}: a newer ppoc wrote it, so update "
                "ppoc (pip install --upgrade ppoc)"
            )
        while found < self.version:
            if found not in self.migrations:
                raise FormatError(f"the {self.name} has format {found}; {reads}")
            document = {**self.migrations[found](document), "format": found + 1}
            found += 1
        return document


def parse_document(data: bytes) -> Document:
    """A JSON object; NaN and infinities are numbers.

    Raises:
        FormatError: it is no JSON, no object, too deep, or has a key twice.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except FormatError:
        raise
    except RecursionError:
        raise FormatError(f"it has more than {MAX_DEPTH} levels") from None
    except ValueError as error:  # UTF-8, JSON, and whole numbers of thousands of digits
        raise FormatError(f"it is not JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise FormatError("it is not a JSON object")
    _check_depth(found, MAX_DEPTH)
    return found


def read_document(path: Path, limit: int = MAX_DOCUMENT) -> Document:
    """The JSON object in a file; raises as `read_regular` and `parse_document` do."""
    return parse_document(read_regular(path, limit))


def _once(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError(f"it has the key {twice[:80]!r} twice")
    return found


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise FormatError(f"it has more than {MAX_DEPTH} levels")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, left - 1)
