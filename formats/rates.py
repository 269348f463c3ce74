"""Measured rates: how fast runs were on this machine, and how much memory they took.

They are kept in ppoc's cache folder, so that `ppoc explain` can say how long an experiment takes.
Losing them loses nothing else; a file that is not as it should be counts as none.
"""

import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats.documents import Format, read_document
from ppoc.formats.files import write_whole
from ppoc.formats.private import UnsafeError, cache_folder, private_folder
from ppoc.formats.reading import FormatError

FILE = "rates.json"
FORMAT = Format("rates", 1)
MOST = 1_000  # pieces of work; of more, those that were measured last
LIMIT = 1_000_000  # bytes
WORK = re.compile(r"[\w./:-]{1,200}")


class Rate(NamedTuple):
    """A measured run: steps a second of its whole time, and its peak of memory in MiB, if known."""

    steps_per_second: float
    mib: float | None = None


def read() -> dict[str, Rate]:
    """Work → its rate, as measured last; raises nothing."""
    with contextlib.suppress(OSError, FormatError, UnsafeError, KeyError):
        rows = FORMAT.current(read_document(cache_folder() / FILE, LIMIT))["rates"]
        rows = rows if isinstance(rows, dict) else {}
        found = {work: _rate(row) for work, row in rows.items() if WORK.fullmatch(work)}
        return {work: rate for work, rate in found.items() if rate is not None}
    return {}


def note(work: str, rate: Rate) -> None:
    """Keep the rate of a piece of work, as `ppoc.compiler.work` names it; raises nothing.

    Where two do so at once, one of the two may be lost.
    """
    if not WORK.fullmatch(work) or _rate([*rate]) is None:
        return
    with contextlib.suppress(OSError, UnsafeError):
        known = read()
        known.pop(work, None)
        latest = [*known.items(), (work, rate)][-MOST:]
        rows = {name: [*measured] for name, measured in latest}
        text = json.dumps({"format": FORMAT.version, "rates": rows})
        folder: Path = private_folder(cache_folder())
        write_whole(folder / FILE, text)


def _rate(row: Any) -> Rate | None:
    """A rate, of a list of two numbers."""
    if not isinstance(row, list) or len(row) != 2:
        return None
    steps, mib = row
    return Rate(steps, mib) if _is_measure(steps) and (mib is None or _is_measure(mib)) else None


def _is_measure(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 < value < 1e12
