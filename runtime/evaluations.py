"""The record of a run's evaluations: a JSON object a line in `evaluations.jsonl`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "evaluations.jsonl"


def append(folder: Path, row: Mapping[str, Any]) -> None:
    """Add a row, and wait until it is on the disk: no checkpoint is to be older than it."""
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def drop_after(folder: Path, step: int) -> None:
    """Leave the rows up to environment step `step`, without those that a crash cut short."""
    path = folder / NAME
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _reaches(line) <= step]
    if kept == lines:
        return
    temporary = path.with_suffix(".jsonl.part")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(kept)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _reaches(line: str) -> float:
    """The step of a row; infinity where the line is no row."""
    try:
        return int(json.loads(line)["steps"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")
