"""Returns and lengths of finished episodes, read off whole rollouts."""

from collections import deque
from collections.abc import Mapping
from math import nan
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Episode(NamedTuple):
    """A finished episode: the undiscounted sum of its raw rewards, and its number of steps."""

    total: float
    length: int


class EpisodeTracker:
    """Follows the episodes of N environments over the rollouts that cut them into pieces."""

    def __init__(self, num_envs: int, window: int = 100) -> None:
        self.recent: deque[Episode] = deque(maxlen=window)
        """The last `window` finished episodes, in the order in which they ended."""
        self.count = 0
        """How many episodes have finished."""
        self._totals = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)

    def extend(self, rewards: NDArray[Any], ended: NDArray[np.bool_]) -> None:
        """Take in a rollout's raw rewards [T, N], with `ended` [T, N] at each episode's last step.

        The cost is that of a cumulative sum, and a microsecond or so for each finished episode.
        """
        totals = self._totals + np.cumsum(rewards, axis=0, dtype=np.float64)
        lengths = self._lengths + np.arange(1, len(rewards) + 1)[:, None]
        before = np.zeros_like(self._totals)
        steps_before = np.zeros_like(self._lengths)
        for t, env in zip(*np.nonzero(ended), strict=True):
            total, length = totals[t, env], lengths[t, env]
            episode = Episode(float(total - before[env]), int(length - steps_before[env]))
            self.recent.append(episode)
            self.count += 1
            before[env], steps_before[env] = total, length
        self._totals = totals[-1] - before
        self._lengths = lengths[-1] - steps_before

    def discard_partial(self) -> None:
        """Forget the episodes under way: to be called when the environments are seeded anew."""
        self._totals[:] = 0.0
        self._lengths[:] = 0

    @property
    def mean_return(self) -> float:
        """Mean return over `recent`; NaN before an episode has finished."""
        return fmean(episode.total for episode in self.recent) if self.recent else nan

    @property
    def mean_length(self) -> float:
        """Mean length over `recent`, in steps; NaN before an episode has finished."""
        return fmean(episode.length for episode in self.recent) if self.recent else nan

    def state(self) -> dict[str, NDArray[Any]]:
        """The state for `load`.

        Of K recent episodes `returns` [K] and `lengths` [K]; `count` []; of those under way
        `partial_returns` [N] and `partial_lengths` [N].
        """
        return {
            "returns": np.array([episode.total for episode in self.recent], np.float64),
            "lengths": np.array([episode.length for episode in self.recent], np.int64),
            "count": np.array(self.count),
            "partial_returns": self._totals.copy(),
            "partial_lengths": self._lengths.copy(),
        }

    def load(self, state: Mapping[str, ArrayLike]) -> None:
        """Continue from a `state()`.

        Raises:
            ValueError: it was made for another number of environments.
        """
        totals = np.array(state["partial_returns"], np.float64)
        if totals.shape != self._totals.shape:
            raise ValueError(f"episodes of {len(totals)} environments for {len(self._totals)}")
        self._totals = totals
        self._lengths = np.array(state["partial_lengths"], np.int64)
        self.count = int(np.asarray(state["count"]))
        recent = zip(np.asarray(state["returns"]), np.asarray(state["lengths"]), strict=True)
        self.recent.clear()
        self.recent.extend(Episode(float(total), int(length)) for total, length in recent)
