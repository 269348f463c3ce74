"""Statistics of learning curves: the area under them, and the steps to a threshold."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ppoc.reporting.run import Array, Curve


class Reached(NamedTuple):
    """Steps to a threshold of some runs.

    Attributes:
        steps: at which each run reached it; None where it never did.
        median: the first step by which half of such runs reach it; None where fewer do.
    """

    steps: list[float | None]
    median: float | None

    @property
    def arrived(self) -> int:
        """Runs that reached it."""
        return sum(step is not None for step in self.steps)


def area(curve: Curve, first: float, last: float) -> float:
    """Mean return between two steps: the area under the curve, by their distance.

    Between points the curve is linear; before the first and after the last it is flat.
    """
    if last <= first:
        return float(np.interp(first, *curve))
    inner = curve.steps[(curve.steps > first) & (curve.steps < last)]
    grid = np.array([first, *inner, last])
    values = np.interp(grid, *curve)
    return float(((values[1:] + values[:-1]) / 2 * np.diff(grid)).sum() / (last - first))


def common_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """The steps over which all curves are known; one step where they have none in common."""
    last = min(curve.steps[-1] for curve in curves)
    return float(min(last, max(curve.steps[0] for curve in curves))), float(last)


def reached(curves: Sequence[Curve], threshold: float) -> Reached:
    """When each run first came to a return; a run that never did is censored at its last step."""
    steps: list[float | None] = []
    for curve in curves:
        found = np.flatnonzero(curve.values >= threshold)
        steps.append(float(curve.steps[found[0]]) if len(found) else None)
    ends = np.array([curve.steps[-1] for curve in curves])
    return Reached(steps, _median(steps, ends))


def _median(steps: Sequence[float | None], ends: Array) -> float | None:
    """The median of times of which some are only known to be later than an end.

    Source: Kaplan and Meier (1958), "Nonparametric Estimation from Incomplete Observations".
    """
    times = np.array([end if step is None else step for step, end in zip(steps, ends, strict=True)])
    events = np.array([step is not None for step in steps], bool)
    waiting = 1.0
    for time in np.unique(times[events]):
        at_risk = (times >= time).sum()
        waiting *= 1 - (events & (times == time)).sum() / at_risk
        if waiting <= 0.5 + 1e-12:
            return float(time)
    return None
