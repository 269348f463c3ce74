"""Statistics of scores over seeds and tasks, with stratified bootstrap intervals.

The scores of a setting are a list of arrays, one for each task, with the scores of its runs. Tasks
may have different numbers of runs. A resample draws the runs of each task anew, with replacement;
all resamples are computed at once, as arrays [..., n]. The statistics are those of Agarwal et al.
(2021), "Deep Reinforcement Learning at the Edge of the Statistical Precipice", arXiv:2108.13264,
and equal those of their library rliable where every task has as many runs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.evaluation.statistics import interquartile_mean

Array = NDArray[np.float64]
Indices = NDArray[np.integer[Any]]
Scores = Sequence[Array]
Statistic = Callable[[Scores], Array]
RESAMPLES = 5_000
SEED = 0
AT_ONCE = 2_000_000  # numbers of resamples that are in memory together


class Estimate(NamedTuple):
    """A statistic, and the percentile-bootstrap interval of it."""

    value: float
    low: float
    high: float


def mean(scores: Scores) -> Array:
    """Mean over tasks of the mean [...] over runs."""
    return np.asarray(np.stack([task.mean(-1) for task in scores]).mean(0))


def median(scores: Scores) -> Array:
    """Median [...] over tasks of the mean over runs; of one task, the median of its runs."""
    if len(scores) == 1:
        return np.asarray(np.median(scores[0], axis=-1))
    return np.asarray(np.median(np.stack([task.mean(-1) for task in scores]), axis=0))


def iqm(scores: Scores) -> Array:
    """Interquartile mean [...] of the runs of all tasks together."""
    return interquartile_mean(np.concatenate(scores, axis=-1))


def optimality_gap(scores: Scores) -> Array:
    """Mean [...] of what runs lack to a normalised score of 1; more than 1 counts as 1."""
    return np.asarray(1 - np.minimum(np.concatenate(scores, axis=-1), 1).mean(-1))


def profile(scores: Scores, thresholds: Array) -> Array:
    """Share [..., K] of runs, of all tasks, that score more than each of K thresholds."""
    runs = np.concatenate(scores, axis=-1)
    return np.stack([(runs > threshold).mean(-1) for threshold in thresholds], axis=-1)


STATISTICS: Mapping[str, Statistic] = {
    "mean": mean,
    "median": median,
    "iqm": iqm,
    "optimality_gap": optimality_gap,
}


def draws(sizes: Sequence[int], resamples: int, seed: int = SEED) -> Iterator[list[Indices]]:
    """Indices [B, n] of the runs that resamples draw, for each task, in parts that fit memory."""
    rng = np.random.default_rng(seed)
    part = max(1, AT_ONCE // max(1, sum(sizes)))
    for begin in range(0, resamples, part):
        count = min(part, resamples - begin)
        yield [rng.integers(0, size, (count, size)) for size in sizes]


def resampled(scores: Scores, indices: Sequence[Indices]) -> list[Array]:
    """The scores [B, n] that indices draw, for each task."""
    return [task[drawn] for task, drawn in zip(scores, indices, strict=True)]


def estimates(
    scores: Scores,
    statistics: Mapping[str, Statistic],
    confidence: float,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Several statistics of one setting, all by the same resamples."""
    found: dict[str, list[Array]] = {name: [] for name in statistics}
    for indices in draws([len(task) for task in scores], resamples):
        drawn = resampled(scores, indices)
        for name, statistic in statistics.items():
            found[name].append(statistic(drawn))
    return {
        name: Estimate(
            float(statistic(scores)), *interval(np.concatenate(found[name]), confidence).tolist()
        )
        for name, statistic in statistics.items()
    }


def interval(values: Array, confidence: float) -> Array:
    """The ends [2, ...] of the percentile interval of resampled values [B, ...]."""
    tail = 100 * (1 - confidence) / 2
    return np.asarray(np.percentile(values, (tail, 100 - tail), axis=0))


def profile_estimates(
    scores: Scores, thresholds: Array, confidence: float, resamples: int = RESAMPLES
) -> tuple[Array, Array]:
    """The performance profile [K], and the ends [2, K] of its pointwise intervals."""
    parts = [
        profile(resampled(scores, indices), thresholds)
        for indices in draws([len(task) for task in scores], resamples)
    ]
    return profile(scores, thresholds), interval(np.concatenate(parts), confidence)


def probability_of_improvement(
    scores: Scores, baseline: Scores, confidence: float, resamples: int = RESAMPLES
) -> Estimate:
    """P(a run of the setting scores more than one of the baseline), averaged over tasks.

    Equal scores count one half, as in the U statistic of Mann and Whitney. Both settings are
    resampled. Of a resample, the runs of a task are known by how often each was drawn.
    """
    wins = [
        np.greater.outer(ours, theirs) + 0.5 * np.equal.outer(ours, theirs)
        for ours, theirs in zip(scores, baseline, strict=True)
    ]
    value = float(np.mean([win.mean() for win in wins]))
    sizes = [len(task) for task in (*scores, *baseline)]
    drawn = np.concatenate([improvement_of(wins, indices) for indices in draws(sizes, resamples)])
    return Estimate(value, *interval(drawn, confidence).tolist())


def improvement_of(wins: Sequence[Array], indices: Sequence[Indices]) -> Array:
    """The probability [B] of improvement of resamples; the baseline's indices come last."""
    found = []
    for win, ours, theirs in zip(wins, indices[: len(wins)], indices[len(wins) :], strict=True):
        left, right = (_counts(*pair) for pair in ((ours, win.shape[0]), (theirs, win.shape[1])))
        found.append(((left @ win) * right).sum(-1) / win.size)
    return np.asarray(np.mean(found, axis=0))


def _counts(indices: Indices, size: int) -> Array:
    """How often [B, n] each of n runs was drawn."""
    rows = np.arange(len(indices))[:, None] * size
    counts = np.bincount((indices + rows).ravel(), minlength=len(indices) * size)
    return counts.reshape(-1, size).astype(np.float64)
