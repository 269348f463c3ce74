"""A run's folder, as one sees it from outside: whether it has ended, and whether it is in use.

Nothing here imports torch, or waits for a run.
"""

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats.documents import read_document
from ppoc.formats.reading import FormatError

RESULT, LOCK = "result.json", "run.lock"


class Ending(NamedTuple):
    """The end of a run, as its result.json has it.

    Attributes:
        steps: of its last stage.
        score: its last evaluation in a number, more being better; None where it has none.
    """

    finished: bool
    stopped: bool
    steps: int
    seconds: float
    score: float | None


def ending(folder: Path) -> Ending | None:
    """How a run ended when it ended last; None where it never did, or nothing says so."""
    try:
        row = read_document(folder / RESULT)
    except (OSError, FormatError):
        return None
    steps, seconds = row.get("steps"), _number(row.get("seconds"))
    return Ending(
        row.get("finished") is True,
        row.get("stopped") is True,
        steps if type(steps) is int and 0 <= steps < 2**63 else 0,
        max(0.0, seconds or 0.0),
        _number(row.get("score")),
    )


def _number(value: Any) -> float | None:
    """A finite number; None of anything else, such as a whole number that no float can hold."""
    if type(value) is int and abs(value) < 2**63:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


def is_held(folder: Path) -> bool:
    """Whether a process of this machine, or of one with the same storage, writes to the folder."""
    return any(map(_is_locked, (folder / LOCK, *folder.glob(f"*/{LOCK}"))))


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
