"""The record of a run's evaluations: a JSON object a line in `evaluations.jsonl`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppoc.runtime.files import append_line, read_lines, write_whole

NAME = "evaluations.jsonl"


def append(folder: Path, row: Mapping[str, Any]) -> None:
    """Add a row, and wait until it is on the disk: no checkpoint is to be older than it."""
    append_line(folder / NAME, json.dumps(row))


def drop_after(folder: Path, step: int) -> None:
    """Leave the rows up to environment step `step`, without those that a crash cut short."""
    path = folder / NAME
    if not path.exists():
        return
    kept = [line for line in read_lines(path) if _reaches(line) <= step]
    text = "".join(f"{line}\n" for line in kept)
    if text.encode() != path.read_bytes():
        write_whole(path, text)


def _reaches(line: str) -> float:
    """The step of a row; infinity where the line is no row."""
    try:
        return int(json.loads(line)["steps"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")
