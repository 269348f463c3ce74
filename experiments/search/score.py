"""The score of a run within a search, and its returns on the way.

A run's score is the mean of two numbers: the mean return of the last third of its training, and
its last evaluation. The evaluation is of the policy that one gets, and by itself a matter of luck:
of many trials, the best last evaluation belongs to one that was lucky. The last third says whether
the run stays good, as an area under the end of its learning curve does; by itself it is of the
policy with its noise, and of a policy that is behind the last one. A trial's score is the mean over
its seeds and tasks, as in Eimer, Lindauer and Raileanu (2023), "Hyperparameters in Reinforcement
Learning and How To Tune Them", section 5, and in CleanRL's tuner, which means over seeds and over
the last episodes of each.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from ppoc.experiments.engines.run_folder import ending
from ppoc.experiments.search.sampling import UNITS
from ppoc.reporting.folders import read_curve

LAST = 3  # the last of so many parts is scored

Curve = Sequence[tuple[int, float]]


def curve(folder: Path) -> Curve:
    """The returns of a run so far, each with its step; empty where there is none."""
    found = read_curve(folder, [])
    if found is None:
        return []
    return [(int(step), float(value)) for step, value in zip(*found, strict=True)]


def score(folder: Path) -> float | None:
    """The score of a finished run; None where it has neither returns nor an evaluation."""
    points, end = curve(folder), ending(folder)
    begin = points[-1][0] * (LAST - 1) / LAST if points else 0.0
    parts = [_mean([value for step, value in points if step > begin])] if points else []
    if end is not None and end.score is not None:
        parts.append(end.score)
    return _mean(parts) if parts else None


def by_unit(points: Curve, total: int) -> list[float | None]:
    """The mean return of each part of a run that is over: of a ninth of it, then the next.

    Where no episode ended in a part, it has the value of the one before; None before the first.
    """
    reached = points[-1][0] * UNITS // total if points and total else 0
    found: list[float | None] = []
    for unit in range(min(reached, UNITS)):
        low, high = unit * total / UNITS, (unit + 1) * total / UNITS
        values = [value for step, value in points if low < step <= high]
        found.append(_mean(values) if values else found[-1] if found else None)
    return found


def scaled(value: float, bounds: Sequence[float] | None) -> float:
    """A return on the scale where `compare.scores` has 0 and 1; as it is without them."""
    if bounds is None:
        return value
    low, high = bounds
    return (value - low) / (high - low)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
