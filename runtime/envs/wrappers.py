"""Wrappers around one environment, named in a generated module and applied in order.

A name is looked for here, then in `gymnasium.wrappers`; `package.module:Name` is imported.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import Env, Wrapper, spaces
from numpy.typing import NDArray

from ppoc.runtime.code import named
from ppoc.runtime.envs.answers import flag_of, reward_of, shortened
from ppoc.runtime.envs.observations import AnswerError, choices

Layers = Iterable[tuple[str, Mapping[str, Any]]]
Result = tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]

# Components of observations that are velocities (Pleines et al. 2022, appendix; as in RL Zoo).
VELOCITIES = {
    "CartPole-v0": (1, 3),
    "CartPole-v1": (1, 3),
    "MountainCar-v0": (1,),
    "MountainCarContinuous-v0": (1,),
    "Pendulum-v1": (2,),
    "LunarLander-v3": (2, 3, 5),
    "LunarLanderContinuous-v3": (2, 3, 5),
}


def wrap(env: "Env[Any, Any]", layers: Layers) -> "Env[Any, Any]":
    """An environment within its wrappers, the first of them innermost.

    Raises:
        ValueError: there is no wrapper of a name.
    """
    for name, arguments in layers:
        env = _find(name)(env, **arguments)
    return env


def game_of(env: "Env[Any, Any]") -> "EpisodicLife | None":
    """The layer that ends episodes with lives, so that the game goes on after them."""
    while isinstance(env, Wrapper):
        if isinstance(env, EpisodicLife):
            return env
        env = env.env
    return None


def _find(name: str) -> Any:
    if ":" in name:
        return named(name)
    for found in (globals().get(name), getattr(gymnasium.wrappers, name, None)):
        if isinstance(found, type) and issubclass(found, Wrapper):
            return found
    raise ValueError(f"no wrapper {name}")


class FrameSkip(Wrapper[Any, Any, Any, Any]):
    """Holds each action for some steps, and adds up their rewards."""

    def __init__(self, env: "Env[Any, Any]", skip: int) -> None:
        super().__init__(env)
        self.skip = skip

    def step(self, action: Any) -> Result:
        total = 0.0
        for _ in range(self.skip):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += reward_of(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


class MaskVelocity(Wrapper[Any, Any, Any, Any]):
    """Sets the velocities in observations to zero, so that only memory can tell them.

    Raises:
        ValueError: it is not known which components they are.
    """

    def __init__(self, env: "Env[Any, Any]") -> None:
        super().__init__(env)
        name = env.spec.id if env.spec else ""
        if name not in VELOCITIES:
            raise ValueError(f"the velocities of {name} are not known, only of {[*VELOCITIES]}")
        self._mask = np.ones(env.observation_space.shape or (), np.float32)
        self._mask[[*VELOCITIES[name]]] = 0

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**arguments)
        return observation * self._mask, info

    def step(self, action: Any) -> Result:
        observation, *rest = self.env.step(action)
        return (observation * self._mask, *rest)


class EpisodicLife(Wrapper[Any, Any, Any, Any]):
    """Ends an episode with each life of an Atari game, and the game only with the last.

    As in Mnih et al. 2015; after a life the game goes on from where it was.

    Attributes:
        over: whether the game is, so that a reset begins another.
    """

    def __init__(self, env: "Env[Any, Any]") -> None:
        super().__init__(env)
        self._lives = 0
        self.over = True

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        if self.over or arguments.get("seed") is not None:
            observation, info = self.env.reset(**arguments)
        else:
            observation, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                observation, info = self.env.reset(**arguments)
        self.over = False
        self._lives = info["lives"]
        return observation, info

    def step(self, action: Any) -> Result:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.over = terminated or truncated
        lost = info["lives"] < self._lives
        self._lives = info["lives"]
        ended = flag_of("terminated", terminated) or lost
        return observation, reward_of(reward), ended, truncated, info


class FireReset(Wrapper[Any, Any, Any, Any]):
    """Presses FIRE at the start of an episode, in Atari games that wait for it."""

    def __init__(self, env: "Env[Any, Any]") -> None:
        super().__init__(env)
        meanings = env.unwrapped.get_action_meanings()  # type: ignore[attr-defined]
        self._fire = meanings.index("FIRE") if "FIRE" in meanings else None

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**arguments)
        if self._fire is not None:
            observation, _, terminated, truncated, info = self.env.step(self._fire)
            if terminated or truncated:
                observation, info = self.env.reset()
        return observation, info


class Observed(Wrapper[Any, Any, Any, Any]):
    """Passes observations through `view`: the same things, laid out in another way."""

    def view(self, observation: Any, info: dict[str, Any]) -> NDArray[Any]:
        raise NotImplementedError

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**arguments)
        return self.view(observation, info), info

    def step(self, action: Any) -> Result:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self.view(observation, info), reward, terminated, truncated, info


class Flatten(Observed):
    """Any observation as one vector; choices are one-hot (`gymnasium.spaces.flatten`).

    Raises:
        AnswerError: in `view`, a choice is none that its space has.
    """

    def __init__(self, env: "Env[Any, Any]") -> None:
        super().__init__(env)
        self._inner = env.observation_space
        self._choices = list(choices(self._inner))
        size = spaces.flatdim(self._inner)
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def view(self, observation: Any, info: dict[str, Any]) -> NDArray[Any]:
        for get, choice in self._choices:
            if not choice.contains(value := get(observation)):
                said = f"gave an observation that has {shortened(value)}"
                raise AnswerError(f"{said} where {choice} was announced")
        return np.asarray(spaces.flatten(self._inner, observation), np.float32)


class ChannelsFirst(Observed):
    """Images [H, W, C] as [C, H, W], and [H, W] as [1, H, W]."""

    def __init__(self, env: "Env[Any, Any]") -> None:
        super().__init__(env)
        inner = env.observation_space
        assert isinstance(inner, spaces.Box)
        low, high = (self.view(bound, {}) for bound in (inner.low, inner.high))
        self.observation_space = spaces.Box(low, high, dtype=inner.dtype.type)

    def view(self, observation: Any, info: dict[str, Any]) -> NDArray[Any]:
        return observation[None] if observation.ndim == 2 else np.moveaxis(observation, -1, 0)


class StackFrames(Observed):
    """The latest observations one after another, the newest last; at a start, `count` times it."""

    def __init__(self, env: "Env[Any, Any]", count: int) -> None:
        super().__init__(env)
        inner = env.observation_space
        assert isinstance(inner, spaces.Box)
        self._frames: deque[NDArray[Any]] = deque(maxlen=count)
        low, high = (np.concatenate([bound] * count) for bound in (inner.low, inner.high))
        self.observation_space = spaces.Box(low, high, dtype=inner.dtype.type)

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        self._frames.clear()
        return super().reset(**arguments)

    def view(self, observation: Any, info: dict[str, Any]) -> NDArray[Any]:
        self._frames.append(observation)
        while len(self._frames) < (self._frames.maxlen or 1):
            self._frames.append(observation)
        return np.concatenate(self._frames)


class AppendActionMask(Observed):
    """Vectors with a component after them for each action: 1 where it may be taken, else 0.

    Raises:
        AnswerError: in `view`, the environment says nothing of what may be taken, or of another
            number of actions, or that none may though the episode goes on.
    """

    def __init__(self, env: "Env[Any, Any]", size: int) -> None:
        super().__init__(env)
        inner = env.observation_space
        assert isinstance(inner, spaces.Box)
        low = np.concatenate([inner.low, np.zeros(size)]).astype(np.float32)
        high = np.concatenate([inner.high, np.ones(size)]).astype(np.float32)
        self.observation_space = spaces.Box(low, high, dtype=np.float32)
        self._size = size
        self._method = env.has_wrapper_attr("action_masks")
        parts = np.ravel(getattr(env.action_space, "nvec", size))  # of a choice each
        self._starts = np.concatenate([[0], np.cumsum(parts)[:-1]])
        self._over = False  # whether the episode is: then nothing need be allowed

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        self._over = False
        return super().reset(**arguments)

    def step(self, action: Any) -> Result:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._over = bool(terminated or truncated)
        return self.view(observation, info), reward, terminated, truncated, info

    def view(self, observation: Any, info: dict[str, Any]) -> NDArray[Any]:
        masks = self.env.get_wrapper_attr("action_masks")() if self._method else None
        if masks is None and isinstance(info, dict):
            masks = info.get("action_mask")
        if masks is None:
            raise AnswerError("gave no action mask: no action_masks(), no action_mask in its info")
        row = np.concatenate([np.ravel(mask) for mask in masks]) if _nested(masks) else masks
        row = np.ravel(row)
        if row.shape != (self._size,):
            raise AnswerError(f"gave an action mask of {row.size} entries, not {self._size}")
        if row.dtype.kind not in "biuf" or not np.isin(row, (0, 1)).all():
            said = f"gave an action mask of {shortened(row)}"
            raise AnswerError(f"{said}, not of ones, for what may be taken, and zeros")
        row = row.astype(np.float32)
        if not self._over and not np.add.reduceat(row, self._starts).all():
            raise AnswerError(f"gave an action mask that lets no action be taken: {shortened(row)}")
        return np.concatenate([observation, row])


def _nested(masks: Any) -> bool:
    return isinstance(masks, list | tuple) and len(masks) > 0 and np.ndim(masks[0]) > 0
