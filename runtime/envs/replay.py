"""Environments brought back to where they were, though their state cannot be saved.

What environments do follows from the seed of their reset and from the actions since, whatever runs
them. So those are kept, and taken again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ppoc.runtime.envs.vector import Floats, Step, VectorEnv

FIRST_CAPACITY = 256  # steps, doubled where they do not suffice


class ReplayError(RuntimeError):
    """Environments did not come to where they were; the text says what was expected of them."""


class Recorder:
    """A `VectorEnv` that keeps the seed of its last reset and the actions since."""

    def __init__(self, envs: VectorEnv) -> None:
        self.num_envs = envs.num_envs
        self.observation_space, self.action_space = envs.observation_space, envs.action_space
        self.envs = envs
        self._seed = 0
        self._count = 0
        self._actions: NDArray[Any] | None = None
        self._observations: Floats | None = None

    def reset(self, seed: int) -> Floats:
        self._seed, self._count = seed, 0
        self._observations = self.envs.reset(seed)
        return self._observations

    def step(self, actions: NDArray[Any]) -> Step:
        if self._actions is None:
            self._actions = np.empty((FIRST_CAPACITY, *actions.shape), actions.dtype)
        elif self._count == len(self._actions):
            self._actions = np.concatenate([self._actions, np.empty_like(self._actions)])
        self._actions[self._count] = actions
        self._count += 1
        step = self.envs.step(actions)
        self._observations = step.observations
        return step

    def close(self) -> None:
        self.envs.close()

    def state(self) -> dict[str, NDArray[Any]]:
        """The state for `replay`, after a step.

        It has the `seed` [], of T steps `actions` [T, N, …], and the `observations` [N, …] that
        they end at.
        """
        assert self._actions is not None
        assert self._observations is not None
        return {
            "seed": np.array(self._seed),
            "actions": self._actions[: self._count],
            "observations": self._observations,
        }

    def replay(self, state: Mapping[str, ArrayLike]) -> Floats:
        """Take the actions of a `state()` again, and return the observations that they end at.

        Raises:
            ReplayError: the actions are none that these environments take, or lead elsewhere.
            EnvironmentFailure: an environment raised.
        """
        fields = ("seed", "actions", "observations")
        seed, actions, expected = (np.asarray(state.get(name, ())) for name in fields)
        if seed.shape or seed.dtype.kind != "i" or not 0 <= seed < 2**31:
            raise ReplayError("what is kept of the environments has no seed")
        self._check(actions)
        observations = self.reset(int(seed))
        for action in actions:
            observations = self.step(action).observations
        if not np.array_equal(observations, expected, equal_nan=True):
            raise ReplayError(
                "the environments, given the same seed and actions again, are not where they were"
            )
        return observations

    def _check(self, actions: NDArray[Any]) -> None:
        """Refuse what an environment in C++ might take for an address."""
        from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

        space = self.action_space
        valid = actions.dtype.kind in "biuf" and actions.shape[1:2] == (self.num_envs,)
        if valid and isinstance(space, Box):
            size = int(np.prod(space.shape))
            valid = actions[:1].size == self.num_envs * size and bool(np.isfinite(actions).all())
        elif valid:
            choices: Any = 2
            if isinstance(space, Discrete):
                choices = space.n
            elif isinstance(space, MultiDiscrete):
                choices = space.nvec.ravel()
            rows = actions.reshape(*actions.shape[:2], -1)
            assert isinstance(space, Discrete | MultiDiscrete | MultiBinary)
            size = 1 if isinstance(space, Discrete) else int(np.prod(space.shape))
            valid = rows.shape[-1] == size and bool(((rows >= 0) & (rows < choices)).all())
        if not valid:
            raise ReplayError("what is kept of the environments has actions that they do not take")
