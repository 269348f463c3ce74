"""A run as comparison sees it: a setting on a task with a seed, and its returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Metric = Literal["evaluation", "auc", "training"]
FINISHED = "finished"


class Curve(NamedTuple):
    """Returns while a run trained: steps [K], which ascend, and values [K], all finite."""

    steps: Array
    values: Array


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: of its folder or file, for messages.
        task: the environment; empty where runs have none, or do not say.
        seed: None where it is not known; such runs are never taken for one another.
        state: as results.json has it; only finished runs count.
        reason: why it failed or stopped.
        score: return of its last evaluation, or what stands for it; None where there is none.
        curve: returns of training; None where there are none.
    """

    name: str
    setting: str
    task: str = ""
    seed: int | None = None
    state: str = FINISHED
    reason: str | None = None
    score: float | None = None
    curve: Curve | None = None

    def __str__(self) -> str:
        return self.name


def curve_of(steps: Sequence[float], values: Sequence[float]) -> Curve | None:
    """A curve of points in any order, without those that are not finite; None if none is left."""
    table = np.array([steps, values], np.float64).reshape(2, -1)
    table = table[:, np.isfinite(table).all(0)]
    table = table[:, np.argsort(table[0], kind="stable")]
    return Curve(*table) if table.shape[1] else None
