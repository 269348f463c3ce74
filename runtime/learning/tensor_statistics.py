"""Normalisation and episode statistics as tensors, for a training loop that stays on its device.

What `normalize` and `episodes` compute in NumPy, as pure functions of NamedTuples of tensors: no
result has to come to the host before an iteration is over. Checkpoints hold the same.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ppoc.runtime.learning.normalize import EPSILON

WINDOW = 100


class Moments(NamedTuple):
    """Mean and variance of everything seen so far; what `RunningMeanStd` is in NumPy."""

    mean: Tensor
    """[*shape] float64."""
    var: Tensor
    """[*shape] float64, of the population."""
    count: Tensor  # type: ignore[assignment]  # as checkpoints name it; hides tuple.count
    """[] int64."""

    def merge(self, batch: Tensor) -> "Moments":
        """Moments that take in a batch [..., *shape] (Chan, Golub and LeVeque 1979)."""
        rows = batch.double().reshape(-1, *self.mean.shape)
        total = self.count + len(rows)
        delta = rows.mean(0) - self.mean
        squares = self.var * self.count + rows.var(0, correction=0) * len(rows)
        var = (squares + delta**2 * self.count * len(rows) / total) / total
        return Moments(self.mean + delta * len(rows) / total, var, total)

    def scaling(self) -> "Scaling":
        """The mean and the inverse deviation, as `standardize` needs them."""
        return Scaling(self.mean.float(), (self.var + EPSILON).rsqrt().float())


class Scaling(NamedTuple):
    """How observations are shifted and scaled during a rollout."""

    mean: Tensor
    """[O] float32."""
    inverse_std: Tensor
    """[O] float32."""


class RewardScale(NamedTuple):
    """Moments of the running discounted return; what `RewardNormalizer` is in NumPy."""

    mean: Tensor
    var: Tensor
    count: Tensor  # type: ignore[assignment]  # as checkpoints name it; hides tuple.count
    returns: Tensor
    """[N] float64, of the episodes under way."""

    def without_partial(self) -> "RewardScale":
        """When the environments are seeded anew."""
        return self._replace(returns=torch.zeros_like(self.returns))

    def scale(
        self, rewards: Tensor, ended: Tensor, gamma: float, clip: float
    ) -> tuple["RewardScale", Tensor]:
        """Take in a rollout's rewards [T, N]; with them scaled, float32 [T, N].

        R ← γ R + r, from 0 at an episode's start, is solved at all steps at once, by recursive
        doubling: after k rounds each sum spans 2ᵏ steps.
        """
        # decays[t] is what becomes of the return of step t − 1 in that of step t.
        decays = gamma * torch.cat([torch.ones_like(ended[:1]), ~ended[:-1]]).double()
        sums = rewards.double()
        sums = torch.cat([sums[:1] + decays[:1] * self.returns, sums[1:]])
        span = 1
        while span < len(sums):
            sums = torch.cat([sums[:span], sums[span:] + decays[span:] * sums[:-span]])
            decays = torch.cat([decays[:span], decays[span:] * decays[:-span]])
            span *= 2
        moments = Moments(self.mean, self.var, self.count).merge(sums)
        scaled = rewards / (moments.var + EPSILON).sqrt()
        returns = sums[-1].masked_fill(ended[-1], 0)
        return RewardScale(*moments, returns), scaled.clamp(-clip, clip).float()


class Episodes(NamedTuple):
    """Returns and lengths of finished episodes; what `EpisodeTracker` follows in NumPy."""

    returns: Tensor
    """[WINDOW] float64, of the last episodes, the newest last; zeros before there were so many."""
    lengths: Tensor
    """[WINDOW] int64."""
    count: Tensor  # type: ignore[assignment]  # as checkpoints name it; hides tuple.count
    """[] int64, episodes finished."""
    partial_returns: Tensor
    """[N] float64, of the episodes under way."""
    partial_lengths: Tensor
    """[N] int64."""

    def without_partial(self) -> "Episodes":
        """When the environments are seeded anew."""
        return self._replace(
            partial_returns=torch.zeros_like(self.partial_returns),
            partial_lengths=torch.zeros_like(self.partial_lengths),
        )

    def extend(self, rewards: Tensor, ended: Tensor) -> "Episodes":
        """Take in a rollout's raw rewards [T, N], with `ended` [T, N] at an episode's last step."""
        totals, rest = _since_the_last_end(self.partial_returns, rewards.double(), ended)
        steps = torch.ones_like(ended, dtype=torch.int64)
        lengths, rest_lengths = _since_the_last_end(self.partial_lengths, steps, ended)
        # An episode's place from the end, counted from 1, is its place from the window's end.
        known = torch.arange(WINDOW, 0, -1, device=ended.device) <= self.count
        finished = torch.cat([known, ended.flatten()])
        place = finished.flip(0).cumsum(0).flip(0)
        slots = torch.where(finished & (place <= WINDOW), WINDOW - place, WINDOW)

        def newest(old: Tensor, new: Tensor) -> Tensor:
            # The last slot takes all that is not kept, and is cut off.
            slotted = old.new_zeros(WINDOW + 1).scatter(0, slots, torch.cat([old, new.flatten()]))
            return slotted[:WINDOW]

        return Episodes(
            newest(self.returns, totals),
            newest(self.lengths, lengths),
            self.count + ended.sum(),
            rest,
            rest_lengths,
        )

    def means(self) -> tuple[float, float]:
        """Mean return and length of the last episodes, read from the device; NaN before any."""
        sums = torch.stack([self.returns.sum(), self.lengths.sum().double()])
        mean_return, mean_length = (sums / self.count.clamp(max=WINDOW)).tolist()
        return mean_return, mean_length

    def state(self) -> dict[str, Tensor]:
        """The state in the form of `EpisodeTracker.state`."""
        kept = min(int(self.count), WINDOW)
        start = WINDOW - kept
        return {
            **self._asdict(),
            "returns": self.returns[start:].contiguous(),
            "lengths": self.lengths[start:].contiguous(),
        }


def _since_the_last_end(partial: Tensor, terms: Tensor, ended: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of terms [T, N] since each episode began, [T, N], and those under way after all, [N]."""
    sums = partial + terms.cumsum(0)
    steps = torch.arange(len(terms), device=terms.device).unsqueeze(1)
    last_end = torch.where(ended, steps, -1).cummax(0).values
    # Up to each step, what was summed when the last episode ended; nothing before the first end.
    spent = torch.where(last_end < 0, 0, sums.gather(0, last_end.clamp(min=0)))
    before = torch.cat([torch.zeros_like(spent[:1]), spent[:-1]])
    return sums - before, sums[-1] - spent[-1]


def no_moments(*shape: int) -> Moments:
    """Mean and variance of no samples yet: 0 and 1."""
    zeros = torch.zeros(shape, dtype=torch.float64)
    return Moments(zeros, zeros + 1, torch.zeros((), dtype=torch.int64))


def no_reward_scale(num_envs: int) -> RewardScale:
    """The scale of rewards before any."""
    return RewardScale(*no_moments(), torch.zeros(num_envs, dtype=torch.float64))


def no_episodes(num_envs: int) -> Episodes:
    """None finished, none under way."""
    return Episodes(
        torch.zeros(WINDOW, dtype=torch.float64),
        torch.zeros(WINDOW, dtype=torch.int64),
        torch.zeros((), dtype=torch.int64),
        torch.zeros(num_envs, dtype=torch.float64),
        torch.zeros(num_envs, dtype=torch.int64),
    )


def load_episodes(state: Mapping[str, Any]) -> Episodes:
    """Episodes of a `state()`, of `Episodes` or of an `EpisodeTracker`."""
    tensors = {name: torch.as_tensor(value) for name, value in state.items()}
    for name in ("returns", "lengths"):
        known = tensors[name]
        tensors[name] = torch.cat([known.new_zeros(WINDOW - len(known)), known])
    return Episodes(**tensors)


def standardize(observations: Tensor, scaling: Scaling, clip: float) -> Tensor:
    """clip((x − mean) / √(var + 1e-8), ±clip) of observations [..., O]."""
    return ((observations - scaling.mean) * scaling.inverse_std).clamp(-clip, clip)
