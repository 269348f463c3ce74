"""How a run ended, as `result.json` has it."""

import json
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from ppoc.formats.documents import Document, Format, read_document
from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError
from ppoc.runtime.evaluation.statistics import Summary

NAME = "result.json"
COUNTS = ("episodes", "cut", "cut_after")  # of a Summary


def _with_cuts(document: Document) -> Document:
    """A result of version 1 as one of version 2: its evaluation played every episode to its end."""
    found = document.get("evaluation")
    if not isinstance(found, dict):
        return document
    return {**document, "evaluation": {"cut": 0, "cut_after": 0, **found}}


# Before version 1 nobody said it; nothing else has changed there.
FORMAT = Format("result", 2, {0: lambda document: document, 1: _with_cuts})


class Result(NamedTuple):
    """How a run ended."""

    folder: Path
    finished: bool  # False: a signal stopped it
    steps: int
    seconds: float
    evaluation: Summary | None  # of the last checkpoint; None if stopped, or none was wanted
    earlier: bool = False  # it was finished before, and nothing was done now


def result_document(result: Result) -> dict[str, Any]:
    """How a run ended, for programs."""
    evaluation = result.evaluation
    return {
        "finished": result.finished,
        "steps": result.steps,
        "seconds": round(result.seconds, 3),
        "evaluation": evaluation._asdict() if evaluation else None,
    }


def write_result(result: Result) -> None:
    """Write the result into its run folder.

    Raises:
        OSError: it cannot be written.
    """
    row = {"format": FORMAT.version, **result_document(result)}
    write_whole(result.folder / NAME, json.dumps(row, indent=2) + "\n")


def read_result(folder: Path) -> Result:
    """The result of a run folder.

    Raises:
        OSError: it is missing or cannot be read.
        FormatError: it is no result; NewerError: it is one of a newer version.
    """
    row = FORMAT.current(read_document(folder / NAME), unversioned=0)
    finished, steps, seconds = (row.get(name) for name in ("finished", "steps", "seconds"))
    if type(finished) is not bool or type(steps) is not int or not _is_number(seconds):
        raise FormatError("it does not say whether the run finished, its steps and its seconds")
    found = row.get("evaluation")
    evaluation = None if found is None else _summary(found)
    return Result(folder, finished, steps, float(seconds), evaluation, earlier=True)


def _summary(row: Any) -> Summary:
    names = Summary._fields
    if (
        not isinstance(row, dict)
        or set(row) != set(names)
        or not all(map(_is_number, row.values()))
    ):
        raise FormatError(f"its evaluation is not of the numbers {', '.join(names)}")
    for name in COUNTS:
        if type(row[name]) is not int:
            raise FormatError(f"its evaluation has no whole number of {name}")
    numbers: dict[str, Any] = {n: row[n] if n in COUNTS else float(row[n]) for n in names}
    return Summary(**numbers)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return type(value) in (int, float) and (value != value or abs(value) < 1e300)
