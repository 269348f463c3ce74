"""Running normalisation of observations and rewards, updated once per rollout.

The statistics stay frozen while a rollout is collected and take in the whole batch at its end.
Then the policy is the same function of the raw observation for the whole rollout, so that
log-probabilities and values can be evaluated once for the batch instead of at every step, and
they are exactly those of the policy that acted. Updating at every step, as is common, changes the
policy's input under it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

EPSILON = 1e-8
Floats = NDArray[np.float32]
State = dict[str, NDArray[Any]]


class RunningMeanStd:
    """Mean and variance of everything seen so far, in float64.

    Batches are merged with the parallel update of Chan, Golub and LeVeque (1979), "Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances". The variance is the
    population's (ddof 0). Before the first batch: mean 0, variance 1, count 0.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.mean = np.zeros(shape)
        self.var = np.ones(shape)
        self.count = 0

    def update(self, batch: ArrayLike) -> None:
        """Take in a batch [..., *shape]; an empty one changes nothing."""
        rows = np.asarray(batch, np.float64).reshape(-1, *self.mean.shape)
        if len(rows) == 0:
            return
        total = self.count + len(rows)
        delta = rows.mean(axis=0) - self.mean
        squares = self.var * self.count + rows.var(axis=0) * len(rows)
        self.var = (squares + delta**2 * self.count * len(rows) / total) / total
        self.mean = self.mean + delta * len(rows) / total
        self.count = total

    def state(self) -> State:
        """The state that `load` restores: mean [*shape], var [*shape], count []."""
        return {"mean": self.mean.copy(), "var": self.var.copy(), "count": np.array(self.count)}

    def load(self, state: Mapping[str, ArrayLike]) -> None:
        """Continue from a `state()`.

        Raises:
            ValueError: it was made for another shape.
        """
        mean = np.array(state["mean"], np.float64)
        if mean.shape != self.mean.shape:
            raise ValueError(f"statistics of {mean.shape} for inputs of {self.mean.shape}")
        self.mean = mean
        self.var = np.array(state["var"], np.float64)
        self.count = int(np.asarray(state["count"]))


class ObservationNormalizer:
    """Observations of O numbers shifted and scaled to mean 0 and variance 1, clipped to ±clip.

    Before the first `update` only the clipping applies. The last `plain` components, which are no
    measurements, are neither shifted nor scaled.
    """

    def __init__(self, size: int, clip: float, plain: int = 0) -> None:
        self.clip = clip
        self._size, self._plain = size, plain
        self._statistics = RunningMeanStd((size,))
        self._refresh()

    def __call__(self, observations: Floats) -> Floats:
        """clip((x − mean) / √(var + 1e-8), ±clip) of observations [..., O], as float32."""
        normalized = np.subtract(observations, self._mean, dtype=np.float32)
        normalized *= self._inverse_std
        # minimum and maximum, because np.clip costs three times as much on a batch this small.
        np.maximum(normalized, -self.clip, out=normalized)
        return np.minimum(normalized, self.clip, out=normalized)

    def constants(self) -> tuple[Floats, Floats]:
        """The mean and the inverse deviation, both [O], that observations are scaled with."""
        return self._mean.copy(), self._inverse_std.copy()

    def update(self, batch: Floats) -> None:
        """Take in a finished rollout's raw observations [..., O]."""
        self._statistics.update(batch[..., : self._size])
        self._refresh()

    def _refresh(self) -> None:
        seen = self._statistics.count > 0
        variance = self._statistics.var + EPSILON if seen else self._statistics.var
        mean, inverse = self._statistics.mean, 1 / np.sqrt(variance)
        self._mean = np.append(mean, np.zeros(self._plain)).astype(np.float32)
        self._inverse_std = np.append(inverse, np.ones(self._plain)).astype(np.float32)

    def state(self) -> State:
        """The state that `load` restores: mean [O], var [O], count []."""
        return self._statistics.state()

    def load(self, state: Mapping[str, ArrayLike]) -> None:
        """Continue from a `state()`.

        Raises:
            ValueError: it was made for observations of another size.
        """
        self._statistics.load(state)
        self._refresh()


class RewardNormalizer:
    """Rewards divided by the standard deviation of the running discounted return.

    The statistic is that of Stable-Baselines3's VecNormalize: for each environment R ← γ R + r,
    from 0 at an episode's start; rewards are scaled by 1/√(Var[R] + 1e-8), not shifted, and
    clipped to ±clip. Unlike there, the variance takes in a whole rollout before scaling it.
    """

    def __init__(self, num_envs: int, gamma: float, clip: float) -> None:
        self.gamma = gamma
        self.clip = clip
        self._returns = np.zeros(num_envs)
        self._statistics = RunningMeanStd(())

    def __call__(self, rewards: Floats, ended: NDArray[np.bool_]) -> Floats:
        """Scale a rollout's rewards [T, N], with `ended` [T, N] bool, to float32 [T, N].

        `ended` marks each episode's last transition, terminated or truncated.
        """
        returns = np.empty(rewards.shape)
        for t in range(len(rewards)):
            self._returns = self.gamma * self._returns + rewards[t]
            returns[t] = self._returns
            self._returns[ended[t]] = 0.0
        self._statistics.update(returns)
        scaled = rewards / np.sqrt(self._statistics.var + EPSILON)
        clipped: Floats = np.clip(scaled, -self.clip, self.clip).astype(np.float32)
        return clipped

    def reset_returns(self) -> None:
        """Forget the returns under way: to be called when the environments are seeded anew."""
        self._returns = np.zeros_like(self._returns)

    def state(self) -> State:
        """The state that `load` restores: mean [], var [], count [], and running returns [N]."""
        return {**self._statistics.state(), "returns": self._returns.copy()}

    def load(self, state: Mapping[str, ArrayLike]) -> None:
        """Continue from a `state()`.

        Raises:
            ValueError: it was made for another number of environments.
        """
        returns = np.array(state["returns"], np.float64)
        if returns.shape != self._returns.shape:
            raise ValueError(f"returns of {len(returns)} environments for {len(self._returns)}")
        self._statistics.load(state)
        self._returns = returns
