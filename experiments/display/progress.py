"""How far a run is, as the end of its metrics.csv tells it, for every engine alike."""

import csv
import math
import os
import re
from pathlib import Path
from typing import NamedTuple

from ppoc.formats.reading import FormatError, open_regular

NAME = "metrics.csv"
LINE_BYTES = 1 << 16
STEP = re.compile(r"[0-9]{1,15}", re.ASCII)
# Columns that say how well it goes, the best first, and what they are called on the screen.
VALUES = {
    "episode_return": "return",
    "score": "score",
    "accuracy": "accuracy",
    "loss": "loss",
    "policy_loss": "policy loss",
}


class Progress(NamedTuple):
    """The last row of a run's metrics.

    Attributes:
        stage: the one that it is at; empty where it has but one.
        step: of that stage.
        what: the name of `value` for people; empty where the row has none.
    """

    stage: str
    step: int
    what: str
    value: float | None


def progress(folder: Path) -> Progress | None:
    """How far a run is; None where it has not logged anything that can be read."""
    found = _newest(folder)
    if found is None:
        return None
    try:
        columns, row = _ends(found)
    except (OSError, FormatError, csv.Error):
        return None
    if len(row) != len(columns) or columns[:1] != ["step"] or not STEP.fullmatch(row[0]):
        return None
    values = dict(zip(columns, row, strict=True))
    what, value = next(((x, _number(values[x])) for x in VALUES if x in values), ("", None))
    stage = found.parent.name if found.parent != folder else ""
    return Progress(stage, int(row[0]), VALUES.get(what, ""), value)


def _newest(folder: Path) -> Path | None:
    """The metrics of a run, or of the stage that wrote last."""
    times = {}
    for path in (folder / NAME, *sorted(folder.glob(f"*/{NAME}"))):
        try:
            times[path] = path.lstat().st_mtime
        except OSError:
            continue
    return max(times, key=lambda path: times[path], default=None)


def _ends(path: Path) -> tuple[list[str], list[str]]:
    """Fields of the first line, and of the last one that is whole."""
    with open_regular(path) as file:
        first = file.readline(LINE_BYTES)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(len(first), size - LINE_BYTES))
        rest = file.read(LINE_BYTES).rpartition(b"\n")[0]
    lines = [first.rstrip(b"\n"), rest.rpartition(b"\n")[2]]
    header, last = (line.decode(errors="replace").replace("\0", "") for line in lines)
    return next(csv.reader([header]), []), next(csv.reader([last]), [])


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
