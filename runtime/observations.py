"""Observations, compared with the space that announced them: a fault is named where it arose."""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gymnasium import Space


def check_observation(observation: Any, shape: tuple[int, ...], dtype: Any) -> None:
    """Whether an observation is an array that the space it was announced with could hold.

    Raises:
        ValueError: it is of another shape or kind, or not finite; it says what was expected.
    """
    found = np.asarray(observation)
    expected = f"its observation space announces {np.dtype(dtype)} {shape}"
    if found.shape != shape:
        raise ValueError(f"its observation has the shape {found.shape}; {expected}")
    if found.dtype.kind not in "fiub":
        raise ValueError(f"its observation is of the type {found.dtype}; {expected}")
    kept = found.astype(dtype)
    if kept.dtype.kind in "iu" and not np.array_equal(kept, found):
        raise ValueError(f"its observation, {found.dtype}, loses its values; {expected}")


def choices(space: "Space[Any]") -> Iterator[tuple[Callable[[Any], Any], "Space[Any]"]]:
    """How to get at each choice within an observation, and the space of the choice.

    To flatten one that its space does not hold sets the component of another, or of none.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        yield (lambda observation: observation), space
    elif isinstance(space, spaces.Dict | spaces.Tuple):
        items = space.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, part in items:
            for get, choice in choices(part):
                yield functools.partial(_part_of, key, get), choice


def _part_of(key: Any, get: Callable[[Any], Any], observation: Any) -> Any:
    return get(observation[key])
