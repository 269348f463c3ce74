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
from ppoc.runtime.envs.vector import EnvironmentFailure, Flags, Floats, Step


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

    One generator serves all N environments: what environment i draws depends on
    the seed, N, the device and how the draws are grouped.
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
        self._generator = torch.Generator(self.device)
        self._state: State | None = None

    def reset_state(self, seed: int) -> State:
        """Seed the generator and start new episodes, apart from those that `step` continues."""
        self._generator.manual_seed(seed)
        return start(self.dynamics, self.draw(1)[0])

    def draw(self, steps: int) -> Tensor:
        """Uniform numbers [steps, N, S] float32 in [0, 1) for the new episodes of `steps` steps."""
        shape = (steps, self.num_envs, self.dynamics.state_size)
        return torch.rand(shape, generator=self._generator, dtype=torch.float32, device=self.device)

    def reset(self, seed: int) -> Floats:
        """Start new episodes and return their observations [N, O] float32."""
        self._state = self.reset_state(seed)
        return _array(self.dynamics.observe(self._state.inner))

    @property
    def announced(self) -> Any:
        """The observation space of a single environment."""
        return self.observation_space

    def restart(self, where: Flags, observations: Floats) -> Floats:
        """Start new episodes where [N] says so; `observations` [N, O] with theirs."""
        assert self._state is not None
        begun = start(self.dynamics, self.draw(1)[0])
        again = torch.from_numpy(where).to(self.device)
        inner = torch.where(again[:, None], begun.inner, self._state.inner)
        self._state = State(inner, self._state.elapsed.masked_fill(again, 0))
        fresh = _array(self.dynamics.observe(inner))
        return np.where(where[:, None], fresh, observations)

    def step(self, actions: NDArray[Any]) -> Step:
        """Take actions [N] (Discrete) or [N, A] (Box).

        Raises:
            EnvironmentFailure: before the first reset, or actions of another shape or, for
                Discrete, out of range.
        """
        if self._state is None:
            raise EnvironmentFailure("the environments were stepped before their first reset")
        taken = torch.from_numpy(self._checked(actions)).to(self.device)
        self._state, transition = step(
            self.dynamics, self._state, taken, self.draw(1)[0], self.max_episode_steps
        )
        result = Step(*map(_array, transition))
        if (result.terminated | result.truncated).any():
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
