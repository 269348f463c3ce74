"""Runs of ppoc, read from experiment folders and run folders that anybody may have made."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats import experiment
from ppoc.formats.documents import Document, read_document
from ppoc.formats.folders import check_folder
from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable
from ppoc.reporting.run import FINISHED, Curve, Run, curve_of
from ppoc.runtime.records.metrics import read_metrics
from ppoc.runtime.run.results import FORMAT
from ppoc.runtime.run.results import NAME as RESULT

LOCK, METRICS = "spec.lock.yaml", "metrics.csv"
# Where a run has the returns of training, and what they are called.
CURVES = ((METRICS, "episode_return"), (f"ppo/{METRICS}", "score"))


class Ending(NamedTuple):
    """How a run ended: its state, its score, and a reason if it has none."""

    state: str
    score: float | None
    reason: str | None = None


def is_experiment(folder: Path) -> bool:
    """Whether a folder has the results of an experiment."""
    return (folder / experiment.NAME).exists()


def is_run(folder: Path) -> bool:
    """Whether a folder has anything of a run."""
    return any((folder / name).exists() for name in (LOCK, RESULT, *(path for path, _ in CURVES)))


def experiment_runs(
    folder: Path, notes: list[str]
) -> tuple[experiment.ExperimentRecord, list[Run]]:
    """An experiment's record and its runs, with their curves.

    Raises:
        OSError, FormatError: its results cannot be read.
    """
    record = experiment.read(folder)
    runs = []
    for row in record.runs:
        place, curve, score = folder / row.run, None, row.score
        if row.state == FINISHED:
            try:
                _check_inside(place, folder)
                curve = read_curve(place, notes)
                score = ending(place).score if score is None else score
            except (OSError, FormatError) as error:
                notes.append(f"{row.run}: no curve, {_said(error)}")
        runs.append(
            Run(row.run, row.setting, row.task, row.seed, row.state, row.reason, score, curve)
        )
    return record, runs


def read_run(folder: Path, notes: list[str]) -> tuple[Ending, Curve | None]:
    """The ending and the curve of an ordinary run folder.

    Raises:
        OSError, FormatError: the folder cannot be read, or a link leads out of it.
    """
    check_folder(folder)
    return ending(folder), read_curve(folder, notes)


def ending(folder: Path) -> Ending:
    """How a run ended, by its result.json."""
    try:
        row = FORMAT.current(read_document(folder / RESULT), unversioned=0)
    except FileNotFoundError:
        return Ending("running", None, f"it has no {RESULT}: it was not finished")
    except (OSError, FormatError) as error:
        return Ending("failed", None, f"{RESULT}: {_said(error)}")
    if row.get("finished") is not True:
        return Ending("stopped", None, "it was stopped before its end")
    return Ending(FINISHED, score_of(row))


def score_of(result: Document) -> float | None:
    """The score in a result.json: mean return, or the reward model's mean score after PPO."""
    evaluation = result.get("evaluation")
    found: list[Any] = [result.get("score")]
    if isinstance(evaluation, dict):
        after = evaluation.get("after")
        found += [evaluation.get("mean"), after.get("score") if isinstance(after, dict) else None]
    numbers = [float(x) for x in found if type(x) in (int, float) and abs(x) < 1e300]
    return numbers[0] if numbers else None


def read_curve(folder: Path, notes: list[str]) -> Curve | None:
    """The returns of training in a run folder; None where it has none."""
    for path, metric in CURVES:
        if not (folder / path).exists():
            continue
        said: list[str] = []
        rows = list(read_metrics(folder / path, said))
        notes.extend(f"{folder.name}: {text}" for text in said)
        points = [(step, row.get(metric, math.nan)) for step, row in rows]
        return curve_of([step for step, _ in points], [value for _, value in points])
    return None


def _check_inside(place: Path, folder: Path) -> None:
    """See that a run's folder lies in its experiment's, and that nothing in it leads out."""
    if not place.resolve().is_relative_to(folder.resolve()):
        raise FormatError("a link that leads out of the experiment")
    check_folder(place)


def _said(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error), 300)
