"""Observations, compared with the space that announced them: a fault is named where it arose."""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gymnasium import Space


class AnswerError(ValueError):
    """A value of an environment is not what it has to be; the text goes on after its name."""


def check_observation(observation: Any, shape: tuple[int, ...], dtype: Any) -> None:
    """Whether an observation is an array that the space it was announced with could hold.

    Raises:
        AnswerError: it is of another shape or kind; it says what was expected.
    """
    expected = f"its observation space announces {np.dtype(dtype)} {shape}"
    try:
        found = np.asarray(observation)
    except Exception as error:  # such as of lists of unequal lengths
        raise AnswerError(f"gave an observation that is no array; {expected}") from error
    if found.shape != shape:
        raise AnswerError(f"gave an observation of the shape {found.shape}; {expected}")
    if found.dtype.kind not in "fiub":
        raise AnswerError(f"gave an observation of the type {found.dtype}; {expected}")
    with np.errstate(all="ignore"):
        kept = found.astype(dtype)
    if kept.dtype.kind in "iu" and not np.array_equal(kept, found):
        loses = f"that, as {np.dtype(dtype)} of {found.dtype}, loses its values"
        raise AnswerError(f"gave an observation {loses}; {expected}")


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
