"""How a run ended, as `result.json` has it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats.documents import Document, Format, read_document
from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError
from ppoc.runtime.kinds import kind_named
from ppoc.runtime.run.numbers import is_number

NAME = "result.json"


def _with_cuts(document: Document) -> Document:
    """A result of version 1 as one of version 2: its evaluation played every episode to its end."""
    found = document.get("evaluation")
    if not isinstance(found, dict):
        return document
    return {**document, "evaluation": {"cut": 0, "cut_after": 0, **found}}


def _of_any_kind(document: Document) -> Document:
    """A result of version 2 as one of version 3, which says its kind and its stage.

    Those of language models said no version, and had the comparison under a name of its own.
    """
    evaluation = document.get("comparison", document.get("evaluation"))
    missing = {"kind": "control", "stage": "train", "stopped": False, "evaluations": {}}
    return {**missing, **document, "evaluation": evaluation}


# Before version 1 nobody said it; nothing else has changed there.
FORMAT = Format("result", 3, {0: lambda document: document, 1: _with_cuts, 2: _of_any_kind})


class Result(NamedTuple):
    """How a run ended, or one stage of it."""

    folder: Path
    kind: str
    finished: bool  # False: a signal stopped it, or it was to stop after an earlier stage
    stage: str  # the last it came to
    steps: int  # of that stage
    seconds: float
    evaluation: Any = None  # of the whole run, as its kind makes one; None if there is none
    evaluations: Mapping[str, Mapping[str, float]] = {}  # of stages, on what was held out
    stopped: bool = False  # by a signal
    earlier: bool = False  # it was finished before, and nothing was done now


def result_document(result: Result) -> dict[str, Any]:
    """How a run ended, for programs."""
    kind, evaluation = kind_named(result.kind), result.evaluation
    return {
        "kind": result.kind,
        "finished": result.finished,
        "stopped": result.stopped,
        "stage": result.stage,
        "steps": result.steps,
        "seconds": round(result.seconds, 3),
        "score": None if evaluation is None else kind.score(evaluation),
        "evaluations": {stage: dict(row) for stage, row in result.evaluations.items()},
        "evaluation": None if evaluation is None else kind.document(evaluation),
    }


def write_result(result: Result) -> None:
    """Write the result into its folder.

    Raises:
        OSError: it cannot be written.
    """
    row = {"format": FORMAT.version, **result_document(result)}
    write_whole(result.folder / NAME, json.dumps(row, indent=2, ensure_ascii=False) + "\n")


def read_result(folder: Path) -> Result:
    """The result of a run folder, or of a stage's.

    Raises:
        OSError: it is missing or cannot be read.
        FormatError: it is no result; NewerError: it is one of a newer version.
    """
    row = FORMAT.current(read_document(folder / NAME), unversioned=0)
    finished, stopped, stage = (row.get(name) for name in ("finished", "stopped", "stage"))
    steps, seconds = row.get("steps"), row.get("seconds")
    if type(finished) is not bool or type(steps) is not int or not is_number(seconds):
        raise FormatError("it does not say whether the run finished, its steps and its seconds")
    if type(stopped) is not bool or not isinstance(stage, str):
        raise FormatError("it does not say at which stage the run ended, and whether by a signal")
    kind, found = kind_named(row.get("kind")), row.get("evaluation")
    return Result(
        folder,
        kind.name,
        finished,
        stage,
        steps,
        float(seconds),
        None if found is None else kind.evaluation(found),
        _measures(row.get("evaluations")),
        stopped,
        earlier=True,
    )


def _measures(rows: Any) -> dict[str, dict[str, float]]:
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise FormatError("its evaluations are not of stages")
    if not all(is_number(value) for row in rows.values() for value in row.values()):
        raise FormatError("its evaluations are not numbers")
    return {stage: {k: float(x) for k, x in row.items()} for stage, row in rows.items()}
