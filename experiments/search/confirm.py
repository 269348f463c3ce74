"""The best trials of a search, run again with fresh seeds: what may be claimed of them."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from optuna.trial import FrozenTrial

from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.experiments.search.score import scaled, score
from ppoc.experiments.search.trial import bounds_of
from ppoc.formats.experiment import ExperimentRecord
from ppoc.reporting.student import quantile


class Confirmed(NamedTuple):
    """A trial, and its runs with fresh seeds.

    Attributes:
        search: its score in the search.
        again: the same score of the fresh runs.
        returns: of each fresh seed, the last evaluation, over tasks.
        low, high: interval of their mean, by Student's t; nan of one seed.
    """

    trial: FrozenTrial
    search: float
    again: float
    returns: Sequence[float]
    low: float
    high: float
    confidence: float

    @property
    def mean(self) -> float:
        return math.fsum(self.returns) / len(self.returns)

    @property
    def words(self) -> str:
        """The finding in a line."""
        over = f"over {len(self.returns)} fresh seed{'s' if len(self.returns) > 1 else ''}"
        interval = "" if math.isnan(self.low) else f" [{self.low:,.6g}, {self.high:,.6g}]"
        less = self.search - self.again
        curse = (
            f"its score was {self.search:,.6g} in the search and is {self.again:,.6g} with these: "
            f"{abs(less):,.3g} {'lower' if less > 0 else 'higher'}"
        )
        why = ", the winner's curse" if less > 0 else ""
        return f"trial {self.trial.number}: {self.mean:,.6g}{interval} {over}; {curse}{why}"


def confirmed(
    folder: Path,
    resolved: ExperimentResolved,
    chosen: Sequence[FrozenTrial],
    members: Sequence[Member],
    record: ExperimentRecord,
) -> list[Confirmed]:
    """Trials all of whose fresh runs have finished, the best mean first."""
    bounds, confidence = bounds_of(resolved), resolved.spec.compare.confidence
    runs = {run.run: run for run in record.runs}
    found = []
    for trial in chosen:
        own = [member for member in members if member.setting == f"trial-{trial.number}"]
        returns: dict[int, list[float]] = {}
        again = []
        for member in own:
            run, fresh = runs[member.name], score(folder / member.name)
            value = fresh if run.score is None else run.score
            if run.state == "finished" and value is not None and fresh is not None:
                bound = bounds.get(member.task)
                returns.setdefault(member.seed, []).append(scaled(value, bound))
                again.append(scaled(fresh, bound))
        if len(again) < len(own):
            continue
        means = [math.fsum(values) / len(values) for values in returns.values()]
        low, high = interval(means, confidence)
        whole = math.fsum(again) / len(again)
        found.append(Confirmed(trial, trial.values[0], whole, means, low, high, confidence))
    return sorted(found, key=lambda one: (-one.mean, one.trial.number))


def interval(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """The interval of a mean by Student's t; nan of less than two values."""
    if len(values) < 2:
        return math.nan, math.nan
    mean = math.fsum(values) / len(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    half = quantile((1 + confidence) / 2, len(values) - 1) * error
    return mean - half, mean + half
