"""A published figure again: the learning curves of an experiment, and its scores beside it."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats.experiment import RunRecord
from ppoc.reporting.curves import Band, band
from ppoc.reporting.folders import experiment_runs
from ppoc.reporting.run import FINISHED, Curve


class Row(NamedTuple):
    """An algorithm in an environment: its runs with their learning curves, and these as a band."""

    runs: list[tuple[RunRecord, Curve]]
    band: Band

    def numbers(self) -> dict[str, Any]:
        """The row for programs to read."""
        curve = {k: [round(float(x), 2) for x in v] for k, v in self.band._asdict().items()}
        return {
            "seeds": [run.seed for run, _ in self.runs],
            "returns": self.returns,
            "last_training_returns": self.last_returns,
            "seconds": [run.seconds for run, _ in self.runs],
            "curve": curve,
        }

    @property
    def returns(self) -> list[float]:
        """Mean return of each run's evaluation after training."""
        return [run.score for run, _ in self.runs if run.score is not None]

    @property
    def last_returns(self) -> list[float]:
        """The last mean return of each run while it trained."""
        return [float(curve.values[-1]) for _, curve in self.runs]


Rows = dict[str, dict[str, Row]]  # environment → algorithm


def rows(folder: Path, notes: list[str]) -> Rows:
    """The finished runs of an experiment; runs too short for a single episode are left out.

    Raises:
        OSError, FormatError: its results cannot be read.
        ValueError: curves of one row have no step in common.
    """
    record, runs = experiment_runs(folder, notes)
    found: dict[str, dict[str, list[tuple[RunRecord, Curve]]]] = {}
    for setting in record.settings:
        for row, run in zip(record.runs, runs, strict=True):
            done = row.state == FINISHED and row.score is not None
            if row.setting == setting and done and run.curve is not None:
                found.setdefault(row.task, {}).setdefault(setting, []).append((row, run.curve))
    return {
        task: {name: Row(own, band([c for _, c in own])) for name, own in settings.items()}
        for task, settings in found.items()
    }


def panels(found: Rows, labels: Mapping[str, str]) -> dict[str, dict[str, Band]]:
    """Environment → label → band, as `ppoc.reporting.curves.draw` takes them."""
    return {
        task: {labels[name]: row.band for name, row in own.items()} for task, own in found.items()
    }


def table(
    found: Rows, labels: Mapping[str, str], published: Mapping[str, Mapping[str, Any]]
) -> str:
    """A table in Markdown; `published`: algorithm → environment → who → their figure."""
    lines = [
        "| environment | algorithm | seeds | evaluation | training | published |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for task, own in found.items():
        for name, row in own.items():
            others = published.get(name, {}).get(task, {})
            theirs = "; ".join(f"{text} ({who})" for who, text in others.items()) or "–"
            ours = f"{len(row.runs)} | {_spread(row.returns)} | {_spread(row.last_returns)}"
            lines.append(f"| {task} | {labels[name]} | {ours} | {theirs} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    """Mean over seeds, with the standard deviation where there are several."""
    digits = 0 if abs(statistics.fmean(values)) >= 100 else 1
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.pstdev(values):.{digits}f}"
