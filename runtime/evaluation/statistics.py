"""Summaries of evaluation returns."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BOOTSTRAP_SAMPLES = 2000
BOOTSTRAP_SEED = 0


class Summary(NamedTuple):
    """Statistics of the returns of n evaluation episodes."""

    episodes: int
    mean: float
    std: float
    """The population's (ddof 0), as CleanRL and the RL Zoo report it."""
    iqm: float
    """The interquartile mean: that of the middle half, less noisy than the mean and less wasteful
    than the median."""
    iqm_low: float
    """Lower end of the 95% percentile-bootstrap interval of the interquartile mean."""
    iqm_high: float
    """Upper end of that interval."""
    min: float
    max: float
    cut: int = 0
    """Episodes that had not ended when they were cut, and count with their return so far."""
    cut_after: int = 0
    """Steps after which those were cut; 0 where none was."""


def interquartile_mean(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean [...] of the middle half of returns [..., n]: the lowest and highest ⌊n/4⌋ are left out.

    Source: Agarwal et al. (2021), "Deep Reinforcement Learning at the Edge of the Statistical
    Precipice", arXiv:2108.13264, section 4.3.
    """
    cut = returns.shape[-1] // 4
    middle = np.sort(returns, axis=-1)[..., cut : returns.shape[-1] - cut]
    return np.asarray(middle.mean(axis=-1))


def summarize(returns: ArrayLike, cut: int = 0, cut_after: int = 0) -> Summary:
    """Summary of the returns [n] of n episodes; equal returns give an equal summary.

    So many of them were cut, after so many steps.

    The interval resamples the episodes 2000 times and takes the 2.5 and 97.5 percentiles of their
    interquartile means. It speaks of the episodes of one policy, not of other training seeds.

    Raises:
        ValueError: there are no returns.
    """
    array: NDArray[Any] = np.asarray(returns, np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"expected the returns of one episode or more, not an array {array.shape}")
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    resampled = rng.choice(array, size=(BOOTSTRAP_SAMPLES, len(array)))
    low, high = np.percentile(interquartile_mean(resampled), (2.5, 97.5))
    return Summary(
        episodes=len(array),
        mean=float(array.mean()),
        std=float(array.std()),
        iqm=float(interquartile_mean(array)),
        iqm_low=float(low),
        iqm_high=float(high),
        min=float(array.min()),
        max=float(array.max()),
        cut=cut,
        cut_after=cut_after,
    )
