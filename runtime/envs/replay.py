"""Environments brought back to where they were, though their state cannot be saved.

What an environment does follows from the seed of its episode and from the actions since, whatever
runs it. So those are kept, and taken again.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ppoc.runtime.envs.vector import EnvironmentFailure, Episodes, Flags, Floats, Step, VectorEnv

FIRST_CAPACITY = 256  # steps, doubled where they do not suffice
# Steps of an episode that are kept and taken again, somewhat more than an Atari game has (27,000):
# no checkpoint grows, and no resumed run waits, without a bound.
LONGEST = 2**15

State = dict[str, NDArray[Any]]


class ReplayError(RuntimeError):
    """Environments did not come to where they were; the text says what was expected of them."""


class ActionReplayEnv:
    """A `VectorEnv` that keeps the actions of the running episodes."""

    def __init__(self, envs: VectorEnv) -> None:
        self.num_envs = envs.num_envs
        self.observation_space, self.action_space = envs.observation_space, envs.action_space
        self.envs = envs
        self._count = 0
        self._actions: NDArray[Any] | None = None
        self._last: Step | None = None

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        self.forget()
        return self.envs.reset(seed, episodes)

    def forget(self) -> None:
        """Keep nothing of the running episodes, since new ones are to begin."""
        self._count, self._last = 0, None

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        if self._actions is None:
            self._actions = np.empty((FIRST_CAPACITY, *actions.shape), actions.dtype)
        elif self._count == len(self._actions):
            self._make_room(self._actions)
        self._actions[self._count] = actions
        self._count += 1
        self._last = self.envs.step(actions, where)
        return self._last

    def _make_room(self, actions: NDArray[Any]) -> None:
        """Drop the actions of episodes that have ended; where that is not half, double the room."""
        needed = min(int(self.envs.running.lengths.max()), LONGEST)
        if needed > len(actions) // 2:
            self._actions = np.concatenate([actions, np.empty_like(actions)])
        assert self._actions is not None
        self._actions[:needed] = actions[len(actions) - needed :].copy()
        self._count = needed

    def close(self) -> None:
        self.envs.close()

    def state(self) -> State:
        """The state for `replay`, after a step; nothing where new episodes are to begin.

        It has the `seed` [] and of each environment the number of its episode, `episodes` [N], and
        the steps since that began, `lengths` [N]; of the longest, of T steps, the `actions` that
        all took, [T, N, …], or none where T is beyond LONGEST; and what the last step gave:
        `observations` [N, …] and `rewards` [N].
        """
        if self._last is None or self._actions is None:
            return {}
        running = self.envs.running
        longest = int(running.lengths.max())
        kept = longest if longest <= LONGEST else 0
        return {
            "seed": np.array(running.seed),
            "episodes": running.episodes,
            "lengths": running.lengths,
            "actions": self._actions[self._count - kept : self._count],
            "observations": self._last.observations,
            "rewards": self._last.rewards,
        }

    def replay(self, state: Mapping[str, ArrayLike]) -> Floats:
        """Begin the episodes of a `state()`, take their actions again; the observations after them.

        Raises:
            ReplayError: the actions are none that these environments take, or lead elsewhere.
            EnvironmentFailure: an environment raised.
        """
        kept = {name: np.asarray(value) for name, value in state.items()}
        seed, episodes, lengths = (_counts(kept, name) for name in ("seed", "episodes", "lengths"))
        if seed.shape or seed >= 2**31:
            raise ReplayError("what is kept of the environments has no seed")
        each = (self.num_envs,)
        if not episodes.shape == lengths.shape == kept.get("rewards", seed).shape == each:
            raise ReplayError("what is kept of the environments is of another number of them")
        longest = int(lengths.max())
        if longest > LONGEST:
            raise ReplayError(
                f"an episode has gone on for {longest:,} steps, of which {LONGEST:,} are replayed"
            )
        actions = kept.get("actions", np.empty(0))
        self._check(actions)
        if len(actions) != longest:
            raise ReplayError("what is kept of the environments lacks actions of an episode")
        observations = self.reset(int(seed), episodes)
        rewards = np.zeros(self.num_envs, np.float32)
        for t, action in enumerate(actions):
            step = self.step(action, lengths >= longest - t)
            observations, rewards = step.observations, step.rewards
        rewarded = lengths > 0
        if not (
            np.array_equal(self.envs.running.lengths, lengths)
            and np.array_equal(rewards[rewarded], kept["rewards"][rewarded])
            and np.array_equal(observations, kept.get("observations", seed))
        ):
            raise ReplayError(
                "the environments, given the same seed and actions again, are not where they were"
            )
        return observations

    def _check(self, actions: NDArray[Any]) -> None:
        """Refuse what an environment in C++ might take for an address."""
        from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

        space = self.action_space
        size = int(np.prod(space.shape or ()))
        valid = actions.dtype.kind in "biuf" and actions.shape[1:2] == (self.num_envs,)
        valid = valid and int(np.prod(actions.shape[2:])) == size
        if valid and isinstance(space, Box):
            valid = bool(np.isfinite(actions).all())
        elif valid:
            assert isinstance(space, Discrete | MultiDiscrete | MultiBinary)
            choices: Any = 2
            if isinstance(space, Discrete):
                choices = space.n
            elif isinstance(space, MultiDiscrete):
                choices = space.nvec.ravel()
            rows = actions.reshape(len(actions), self.num_envs, size)
            valid = bool(((rows >= 0) & (rows < choices)).all())
        if not valid:
            raise ReplayError("what is kept of the environments has actions that they do not take")


def _counts(kept: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Whole numbers, none below 0."""
    counts = kept.get(name, np.empty(0))
    if counts.dtype.kind != "i" or (counts < 0).any():
        raise ReplayError(f"what is kept of the environments has no {name}")
    return counts


def resumed(
    envs: ActionReplayEnv, kept: Mapping[str, ArrayLike], say: Callable[[str], None]
) -> Floats | None:
    """Replay a `state()`; None where environments, run again, do not end where they were."""
    try:
        return envs.replay(kept)
    except (ReplayError, EnvironmentFailure) as error:
        say(f"{error}: new episodes begin, so the run goes on, but not as if it was never stopped")
        return None
