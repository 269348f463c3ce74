"""The difference of two settings' means, over one task or several: interval, p-value, seeds needed.

Few seeds need more care than a bootstrap takes, whose intervals are too narrow for 3 to 10 of them.
Here intervals are Student's: the wider of Welch's, which lets the settings vary differently, and
of the one with a pooled variance, which is right where one setting has few runs that happen to be
alike. docs/compare.md has the equations, and benchmarks/results/verdicts.md how often they err.
"""

import bisect
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppoc.reporting import student

Array = NDArray[np.float64]
POWER = 0.8
MOST_SEEDS = 1_000


class Part(NamedTuple):
    """The variance of a sum, or a part of it, as it is estimated.

    Attributes:
        variance: of the estimated mean.
        freedom: degrees of freedom of that variance.
    """

    variance: float
    freedom: float


class Difference(NamedTuple):
    """A setting's mean less the baseline's, averaged over tasks, each in units of its scale.

    Attributes:
        seeds: of the setting or the baseline, on the task with the fewest.
        bases: what the standard error is estimated from, in two ways; none where a setting has a
            single run on some task.
        spread: variance of one more seed on each task: the squared error of n seeds, times n.
        fewest: the probability of the floor, see `floor`.
    """

    value: float
    seeds: int
    bases: tuple[Part, ...]
    spread: float
    fewest: float

    def p_value(self) -> float:
        """Two-sided p-value of no difference; 1 where nothing can be said."""
        if not self.bases:
            return 1.0
        return max(self.fewest, *(_p(self.value, basis) for basis in self.bases))

    def half_width(self, level: float) -> float:
        """Half the width of the interval that misses with probability `level`, or infinity."""
        if not self.bases:
            return math.inf
        return max(
            student.quantile(1 - level / 2, basis.freedom) * math.sqrt(basis.variance)
            for basis in self.bases
        )


def difference(
    scores: Sequence[Array], baseline: Sequence[Array], scales: Sequence[float]
) -> Difference:
    """The difference of two settings, of whose runs each task has scores [n], divided by its scale.

    The value is D = (1/T) Σ_t (mean_t − mean_t of the baseline) / scale_t. Degrees of freedom of a
    sum of variances are those of Satterthwaite (1946): (Σ v_j)² / Σ (v_j² / ν_j).
    """
    pairs = [
        (ours / scale, theirs / scale)
        for ours, theirs, scale in zip(scores, baseline, scales, strict=True)
    ]
    value = float(np.mean([ours.mean() - theirs.mean() for ours, theirs in pairs]))
    seeds = min(min(len(ours), len(theirs)) for ours, theirs in pairs)
    fewest = max(floor(len(ours), len(theirs)) for ours, theirs in pairs)
    if seeds < 2:
        return Difference(value, seeds, (), math.nan, fewest)
    weight = 1 / len(pairs) ** 2
    apart, pooled, spread = [], [], 0.0
    for ours, theirs in pairs:
        variances = [float(side.var(ddof=1)) for side in (ours, theirs)]
        freedoms = [len(side) - 1 for side in (ours, theirs)]
        spread += weight * sum(variances)
        for side, variance, freedom in zip((ours, theirs), variances, freedoms, strict=True):
            apart.append(Part(weight * variance / len(side), freedom))
        joint = sum(v * f for v, f in zip(variances, freedoms, strict=True)) / sum(freedoms)
        error = weight * joint * (1 / len(ours) + 1 / len(theirs))
        pooled.append(Part(error, sum(freedoms)))
    return Difference(value, seeds, (_sum(apart), _sum(pooled)), spread, fewest)


def floor(ours: int, theirs: int) -> float:
    """The least p-value that so many seeds can give, whatever their scores.

    Runs that either work or fail, each with probability q, differ in all of one setting from all
    of the other with probability q^m (1−q)^n + q^n (1−q)^m. Its largest value bounds how often a
    difference without any variance is due to luck: at most 2 m^m n^n / (m+n)^(m+n), which is
    2 / 4^n for equal m and n.
    """
    total = ours + theirs
    logarithm = ours * math.log(ours / total) + theirs * math.log(theirs / total)
    return min(1.0, 2 * math.exp(logarithm))


def least_seeds(level: float) -> int:
    """The fewest seeds of each setting that can show a difference at a level."""
    return next(n for n in range(2, MOST_SEEDS) if floor(n, n) <= level)


def seeds_needed(found: Difference, level: float, margin: float) -> int | None:
    """About how many seeds each setting needs for a verdict; None beyond a thousand.

    It is the least n for which either a difference as large as the one found excludes zero with
    80% power, (t_{1−level/2} + t_0.8) √(spread/n) ≤ |D|, or the interval fits into the margin as
    often, with margin − |D| in place of |D|.

    Source: Colas et al. (2018), "How Many Random Seeds?", arXiv:1806.08295; Chow et al. (2008),
    Sample Size Calculations in Clinical Research, sections 3.2.1 and 3.2.3.
    """
    least = least_seeds(level)
    if not found.bases:
        return least
    reach = max(abs(found.value), margin - abs(found.value))

    def suffices(n: int) -> bool:
        freedom = 2.0 * (n - 1)
        factor = student.quantile(1 - level / 2, freedom) + student.quantile(POWER, freedom)
        return factor * math.sqrt(found.spread / n) <= reach

    counts = range(max(least, found.seeds + 1), MOST_SEEDS + 1)
    place = bisect.bisect_left(counts, True, key=suffices)
    return counts[place] if place < len(counts) else None


def holm(p_values: Sequence[float], level: float) -> list[float]:
    """The level at which each of several comparisons is judged, by the method of Holm.

    The k-th smallest of m p-values is held against level / (m − k + 1), until one is larger; all
    from there on against the same. So no claim among all of them is false with a probability of at
    least 1 − level. Those comparisons are claims whose p-value is not larger than their level.

    Source: Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    levels = [0.0] * len(p_values)
    left, stopped = len(p_values), False
    for place in order:
        levels[place] = level / left
        stopped = stopped or p_values[place] > levels[place]
        left -= not stopped
    return levels


def _sum(parts: Sequence[Part]) -> Part:
    variance = sum(part.variance for part in parts)
    weights = sum(part.variance**2 / part.freedom for part in parts)
    freedom = variance**2 / weights if weights > 0 else sum(part.freedom for part in parts)
    return Part(variance, freedom)


def _p(value: float, basis: Part) -> float:
    if basis.variance <= 0:
        return float(value == 0)
    return student.two_sided_p(value / math.sqrt(basis.variance), basis.freedom)
