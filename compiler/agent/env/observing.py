"""Observations, compared with the space that announced them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ppoc.compiler.agent.env.blame import told


def observation_faults(space: Any, observation: Any) -> Iterator[str]:
    """The faults of an observation, under a space of gymnasium's."""
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        yield from _box_faults(space, observation)
    elif isinstance(space, spaces.Dict | spaces.Tuple):
        named = isinstance(space, spaces.Dict)
        parts = space.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, part in parts:
            try:
                inner = observation[key]
            except Exception:  # whatever was returned in place of it
                yield (f"has no {key!r}, which its {type(space).__name__} has")
                return
            yield from observation_faults(part, inner)
        if not named and length_of(observation) != len(space.spaces):
            yield (f"has {length_of(observation)} parts, not {len(space.spaces)}")
    elif isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        if not true(lambda: space.contains(observation)):
            yield (f"is {short(observation)}, which {space} has not")
    else:
        try:
            spaces.flatten(space, observation)
        except Exception as error:
            yield (f"does not fit {space}: {told(error)}")


def _box_faults(space: Any, observation: Any) -> Iterator[str]:
    announced = f"its space announces {space.dtype} {space.shape}"
    try:
        found = np.asarray(observation)
    except Exception as error:
        yield (f"is no array ({told(error)}); {announced}")
        return
    if found.shape != space.shape:
        yield (f"has the shape {found.shape}; {announced}")
    elif found.dtype.kind not in "fiub":
        yield (f"is of the type {found.dtype}; {announced}")
    elif not np.isfinite(kept := found.astype(np.float32)).all():
        where = np.argwhere(~np.isfinite(kept))[0]
        value, place = found[tuple(where)], ", ".join(map(str, where))
        yield (f"has {value} in component {place or 0}, and must be finite")
    elif space.dtype == np.uint8 and len(space.shape) > 1 and not _is_bytes(found):
        yield (f"is {found.dtype}, and loses its values; {announced}")


def _is_bytes(found: Any) -> bool:
    with np.errstate(invalid="ignore"):
        return np.array_equal(found.astype(np.uint8), found)


def true(question: Callable[[], Any]) -> bool:
    """Whether a question to code of others is answered by yes, and not by an error."""
    try:
        return bool(question())
    except Exception:
        return False


def length_of(answer: Any) -> int:
    """The length of whatever it is; -1 where it has none."""
    try:
        return len(answer)
    except Exception:
        return -1


def short(value: Any) -> str:
    """A value in a few characters."""
    try:
        text = " ".join(repr(value.tolist() if hasattr(value, "tolist") else value).split())
    except Exception:
        text = type(value).__name__
    return f"{text[:80]}…" if len(text) > 80 else text
