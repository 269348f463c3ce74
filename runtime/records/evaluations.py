"""The record of a run's evaluations: a JSON object a line in `evaluations.jsonl`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ppoc.formats.documents import Format, NewerError, parse_document
from ppoc.formats.files import append_line, read_lines, write_whole
from ppoc.formats.reading import FormatError, read_regular

NAME = "evaluations.jsonl"
LARGEST = 64 * 2**20  # bytes: some 300,000 rows
MOST_STEPS = 10**15
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
    try:
        lines = read_lines(path, LARGEST)
    except FileNotFoundError:
        return
    kept = [line for line in lines if _reaches(line) <= step]
    text = "".join(f"{line}\n" for line in kept).encode()
    if text != read_regular(path, LARGEST):
        write_whole(path, text)


def read(folder: Path, notes: list[str]) -> Iterator[tuple[int, dict[str, float]]]:
    """Steps of the rows, and their numbers; lines that are no rows, or too new, are left out.

    Args:
        notes: is told what was left out.
    """
    try:
        lines = read_lines(folder / NAME, LARGEST)
    except FileNotFoundError:
        return
    except (OSError, FormatError) as error:
        notes.append(f"{NAME} cannot be read: {error}")
        return
    torn = 0
    for line in lines:
        try:
            row = FORMAT.current(parse_document(line.encode()), unversioned=0)
            numbers = {name: float(x) for name, x in row.items() if type(x) in (int, float)}
        except (FormatError, OverflowError):
            numbers = {}
        if 0 <= numbers.get("steps", -1) < MOST_STEPS and type(row["steps"]) is int:
            yield row["steps"], numbers
        else:
            torn += 1
    if torn:
        notes.append(f"{NAME} has {torn} lines that are torn or no evaluations")


def _reaches(line: str) -> float:
    """The step of a row; infinity where the line is no row, as a crash may leave one."""
    try:
        steps = FORMAT.current(parse_document(line.encode()), unversioned=0).get("steps")
    except NewerError:
        raise
    except FormatError:
        return float("inf")
    return steps if type(steps) is int else float("inf")
