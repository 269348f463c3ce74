"""Any number of environments stepped as one tensor, with NumPy arrays in and out.

A step costs a few kernels for any number of copies and never waits for the host, so `step` can be
captured in a CUDA graph or compiled. A generated module that keeps its rollouts on the device calls
`start` and `step` itself.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from torch import Tensor

from ppoc.runtime.envs.classic_control import ENVIRONMENTS, Dynamics
from ppoc.runtime.envs.vector import EnvironmentFailure, Episodes, Flags, Floats, Running, Step


class State(NamedTuple):
    """Where each of N environments is in its episode."""

    inner: Tensor
    """[N, S] float32."""
    elapsed: Tensor
    """[N] int64, steps since the episode began."""


class Transition(NamedTuple):
    """One transition of each of N environments; the fields mean what `envs.Step`'s do."""

    observations: Tensor
    """[N, O] float32, where the next action is taken; may be the state's own tensor."""
    rewards: Tensor
    """[N] float32."""
    terminated: Tensor
    """[N] bool."""
    truncated: Tensor
    """[N] bool, set together with `terminated` when the last allowed step terminates."""
    next_observations: Tensor
    """[N, O] float32, the true successor: the final observation of an ended episode."""


def step(
    dynamics: Dynamics, state: State, actions: Tensor, uniform: Tensor, max_episode_steps: int
) -> tuple[State, Transition]:
    """Take one step and, in the same step, start a new episode where one ended.

    Args:
        actions: [N] int64 for Discrete, [N, A] float32 for a Box.
        uniform: [N, S] in [0, 1), read where an episode ends: the new one's initial state.
        max_episode_steps: the time limit.
    """
    successor, rewards, terminated = dynamics.advance(state.inner, actions)
    elapsed = state.elapsed + 1
    truncated = elapsed >= max_episode_steps
    ended = terminated | truncated
    inner = torch.where(ended[..., None], dynamics.start(uniform), successor)
    transition = Transition(
        observations=dynamics.observe(inner),
        rewards=rewards,
        terminated=terminated,
        truncated=truncated,
        next_observations=dynamics.observe(successor),
    )
    return State(inner, elapsed.masked_fill(ended, 0)), transition


def start(dynamics: Dynamics, uniform: Tensor) -> State:
    """New episodes, from numbers [N, S] uniform in [0, 1)."""
    inner = dynamics.start(uniform)
    return State(inner, torch.zeros(len(inner), dtype=torch.int64, device=inner.device))


def make(
    env_id: str,
    num_envs: int,
    *,
    max_episode_steps: int | None = None,
    device: torch.device | str = "cpu",
) -> "TorchEnvs":
    """Make `num_envs` copies of the environment `env_id`.

    Args:
        max_episode_steps: the time limit, in place of the environment's registered one.
        device: where the states live and the steps are computed.

    Raises:
        ValueError: `env_id` is not in `ENVIRONMENTS`.
    """
    if env_id not in ENVIRONMENTS:
        raise ValueError(f"no tensor environment {env_id}; there are {', '.join(ENVIRONMENTS)}")
    return TorchEnvs(ENVIRONMENTS[env_id], num_envs, max_episode_steps, device)


class TorchEnvs:
    """The `VectorEnv` of some dynamics, with NumPy arrays in and out.

    Each episode begins from numbers of its own, which follow from the seed, the environment and
    the episode alone.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        num_envs: int,
        max_episode_steps: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.dynamics = dynamics
        self.num_envs = num_envs
        self.max_episode_steps = (
            dynamics.max_episode_steps if max_episode_steps is None else max_episode_steps
        )
        self.device = torch.device(device)
        # One object each, for as long as this lives: a space holds the seed that it samples with.
        self.observation_space = dynamics.observation_space
        self.action_space = dynamics.action_space
        self._seed = 0
        self._episodes = np.zeros(num_envs, np.int64)
        self._state: State | None = None
        self._next: Tensor  # [N, S], what the episode after the running one begins from

    @property
    def running(self) -> Running:
        """The running episodes."""
        assert self._state is not None
        return Running(self._seed, self._episodes.copy(), _array(self._state.elapsed))

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        """Start new episodes and return their observations [N, O] float32."""
        self._seed = seed
        self._episodes = np.zeros(self.num_envs, np.int64) if episodes is None else episodes.copy()
        self._state = start(self.dynamics, self._beginnings(self._episodes))
        self._next = self._beginnings(self._episodes + 1)
        return _array(self.dynamics.observe(self._state.inner))

    def _beginnings(self, episodes: Episodes) -> Tensor:
        """Numbers that episodes begin from, [N, S] float32, uniform in [0, 1)."""
        rows = [self._beginning(index, episode) for index, episode in enumerate(episodes)]
        return torch.stack(rows).to(self.device)

    def _beginning(self, index: int, episode: int) -> Tensor:
        rng = np.random.default_rng((self._seed, index, episode))
        return torch.from_numpy(rng.random(self.dynamics.state_size, np.float32))

    def _begin(self, where: Flags) -> None:
        """Count the episodes that began where [N] says so, and draw those after them."""
        self._episodes += where
        for index in np.flatnonzero(where).tolist():
            self._next[index] = self._beginning(index, self._episodes[index] + 1)

    @property
    def announced(self) -> Any:
        """The observation space of a single environment."""
        return self.observation_space

    def restart(self, where: Flags, observations: Floats) -> Floats:
        """Start new episodes where [N] says so; `observations` [N, O] with theirs."""
        assert self._state is not None
        self._state = self._where(where, start(self.dynamics, self._next))
        self._begin(where)
        fresh = _array(self.dynamics.observe(self._state.inner))
        return np.where(where[:, None], fresh, observations)

    def _where(self, where: Flags, other: State) -> State:
        """The state with that of another where [N] says so."""
        assert self._state is not None
        chosen = torch.from_numpy(where).to(self.device)
        inner = torch.where(chosen[:, None], other.inner, self._state.inner)
        return State(inner, torch.where(chosen, other.elapsed, self._state.elapsed))

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        """Take actions [N] (Discrete) or [N, A] (Box).

        Raises:
            EnvironmentFailure: before the first reset, or actions of another shape or, for
                Discrete, out of range.
        """
        if self._state is None:
            raise EnvironmentFailure("the environments were stepped before their first reset")
        taken = torch.from_numpy(self._checked(actions)).to(self.device)
        state, transition = step(
            self.dynamics, self._state, taken, self._next, self.max_episode_steps
        )
        result = Step(*map(_array, transition))
        ended = result.terminated | result.truncated
        if where is not None:
            state = self._where(where, state)
            stayed = _array(self.dynamics.observe(state.inner))
            ended = ended & where
            result = Step(
                stayed,
                result.rewards * where,
                result.terminated & where,
                result.truncated & where,
                np.where(where[:, None], result.next_observations, stayed),
            )
        self._state = state
        if ended.any():
            self._begin(ended)
            return result
        return result._replace(next_observations=result.observations)

    def close(self) -> None:
        """Forget the states; only a reset can follow."""
        self._state = None

    def _checked(self, actions: NDArray[Any]) -> NDArray[Any]:
        """A copy of `actions`, refused where a tensor step would compute nonsense in silence."""
        actions = np.array(actions, self.action_space.dtype)
        shape = (self.num_envs, *(self.action_space.shape or ()))
        if actions.shape != shape:
            raise EnvironmentFailure(f"actions must have the shape {shape}, not {actions.shape}")
        space = self.action_space
        if isinstance(space, Discrete) and ((actions < 0) | (actions >= space.n)).any():
            raise EnvironmentFailure(f"actions must be in [0, {space.n}), not {actions}")
        return actions


def _array(tensor: Tensor) -> NDArray[Any]:
    """A copy in host memory: a CPU tensor's own memory may be part of the state."""
    return np.array(tensor.numpy(force=True))
