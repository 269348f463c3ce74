"""The record of a run's evaluations: a JSON object a line in `evaluations.jsonl`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ppoc.formats.documents import Format, NewerError, parse_document
from ppoc.formats.files import append_line, read_lines, write_whole
from ppoc.formats.reading import FormatError

NAME = "evaluations.jsonl"
# Before version 1 nobody said it; nothing else has changed.
FORMAT = Format("evaluation", 1, {0: lambda row: row})


def append(folder: Path, row: Mapping[str, Any]) -> None:
    """Add a row, and wait until it is on the disk: no checkpoint is to be older than it."""
    append_line(folder / NAME, json.dumps({"format": FORMAT.version, **row}))


def drop_after(folder: Path, step: int) -> None:
    """Leave the rows up to environment step `step`, without those that a crash cut short.

    Raises:
        OSError: the file cannot be read or written.
        FormatError: it is too large; NewerError: a newer version wrote a row of it.
    """
    path = folder / NAME
    if not path.exists():
        return
    kept = [line for line in read_lines(path) if _reaches(line) <= step]
    text = "".join(f"{line}\n" for line in kept)
    if text.encode() != path.read_bytes():
        write_whole(path, text)


def read(folder: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Steps of the rows, and their numbers; lines that are no rows, or too new, are left out."""
    try:
        lines = read_lines(folder / NAME)
    except (OSError, FormatError):
        return
    for line in lines:
        try:
            row = FORMAT.current(parse_document(line.encode()), unversioned=0)
            numbers = {name: float(x) for name, x in row.items() if type(x) in (int, float)}
        except (FormatError, OverflowError):
            continue
        if type(row.get("steps")) is int:
            yield row["steps"], numbers


def _reaches(line: str) -> float:
    """The step of a row; infinity where the line is no row, as a crash may leave one."""
    try:
        steps = FORMAT.current(parse_document(line.encode()), unversioned=0).get("steps")
    except NewerError:
        raise
    except FormatError:
        return float("inf")
    return steps if type(steps) is int else float("inf")
