"""When the episodes of an environment end for certain, as far as it says so."""

import contextlib
from collections.abc import Iterator
from typing import Any

# Where wrappers, gymnasium's TimeLimit among them, and environments keep their limit.
NAMES = ("max_episode_steps", "_max_episode_steps", "max_steps", "_max_steps")
FRAMES = "max_num_frames_per_episode"  # an argument of Atari games
ENDLESS = 1_000_000  # steps; a limit beyond ends nothing that anybody waits for


def time_limit(env: Any) -> int | None:
    """Steps within which every episode ends; None where nobody sets a limit.

    Limits of the environment itself may be in frames or for something else: the largest counts.
    """
    from gymnasium.wrappers import TimeLimit

    layers = list(_layers(env))
    wrapped = [layer._max_episode_steps for layer in layers if isinstance(layer, TimeLimit)]
    limits = [limit for limit in wrapped or _own_limits(env, layers) if _is_limit(limit)]
    if not limits:
        return None
    return min(limits) if wrapped else max(limits)


def _own_limits(env: Any, layers: list[Any]) -> Iterator[Any]:
    with contextlib.suppress(Exception):  # whatever somebody's class does when it is asked
        yield env.unwrapped.spec.kwargs.get(FRAMES)
    for layer in layers:
        for name in NAMES:
            with contextlib.suppress(Exception):
                yield getattr(layer, name, None)


def _is_limit(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= ENDLESS


def _layers(env: Any) -> Iterator[Any]:
    """An environment and those within it, the outermost first."""
    from gymnasium import Wrapper

    while isinstance(env, Wrapper):
        yield env
        env = env.env
    yield env
