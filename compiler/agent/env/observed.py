"""Findings of random steps: an environment's observations, and the actions it allows."""

import functools
from collections.abc import Callable, Iterator, Mapping
from math import isfinite, nan
from typing import Any, NamedTuple

SLACK = 1e-5  # of a bound, which rounding may exceed


class Part(NamedTuple):
    """A Box of an observation."""

    name: str  # its keys in mappings and tuples, such as camera; empty for all of it
    shape: tuple[int, ...]
    kind: str  # of its dtype, as NumPy's: u, i or f
    low: float
    high: float
    largest: float = nan  # absolute value of any step

    @property
    def is_image(self) -> bool:
        """Whether the part is pixels: bytes, or values from 0 to 255; two sides are 8 or more."""
        sides = sorted(self.shape)[-2:]
        pixels = self.kind == "u" or (self.low, self.high) == (0, 255)
        return len(self.shape) in (2, 3) and min(sides) >= 8 and pixels


class Observed(NamedTuple):
    """Findings of random steps; empty texts where nothing was wrong."""

    parts: tuple[Part, ...] = ()
    outside: str = ""
    """The first observation that its space does not hold, in words."""
    forbidden: str = ""
    """The first step at which no action was allowed, in words."""


NOTHING = Observed()


class Watch:
    """Looks at what an environment gives, step by step."""

    def __init__(self, observations: Any, actions: Any) -> None:
        """A watch over an environment of such spaces."""
        self._boxes = list(_boxes(observations))
        self._sizes = _sizes(actions)
        self._largest: dict[str, float] = {}
        self._outside = self._forbidden = ""

    def take(self, step: int, observation: Any, mask: Any = None) -> None:
        """Take in what came after a step; 0 is a reset. No mask allows everything."""
        for name, get, box in self._boxes:
            self._look(step, name, get(observation), box)
        if mask is not None and not self._forbidden and _allows_nothing(mask, self._sizes):
            self._forbidden = f"at {_when(step)}"

    def found(self) -> Observed:
        """The findings so far."""
        parts = tuple(
            Part(name, box.shape, box.dtype.kind, float(box.low.min()), float(box.high.max()),
                 self._largest.get(name, nan))
            for name, _, box in self._boxes
        )  # fmt: skip
        return Observed(parts, self._outside, self._forbidden)

    def _look(self, step: int, name: str, value: Any, box: Any) -> None:
        import numpy as np

        given = np.asarray(value)
        if given.shape != box.shape or given.dtype.kind not in "uifb" or not given.size:
            return  # which the run says
        given = given.astype(np.float64)
        largest = float(np.abs(given).max())
        if isfinite(largest):
            self._largest[name] = max(largest, self._largest.get(name, 0.0))
        bounds = [np.asarray(bound, np.float64) for bound in (box.low, box.high)]
        slack = [SLACK * np.where(np.isfinite(b), np.abs(b) + 1, 0) for b in bounds]
        wrong = (given < bounds[0] - slack[0]) | (given > bounds[1] + slack[1])
        if wrong.any() and not self._outside:
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            low, high = (float(bound[place]) for bound in bounds)
            where = f"`{name}`, component" if name else "component"
            self._outside = (
                f"{where} {', '.join(map(str, place))} is {given[place]:.6g} at {_when(step)}, and "
                f"its space goes from {low:.6g} to {high:.6g}"
            )


def mask_of(env: Any, info: Mapping[str, Any]) -> Any:
    """The action mask of an environment, of its method or its info, or None."""
    if env.has_wrapper_attr("action_masks"):
        return env.get_wrapper_attr("action_masks")()
    return info.get("action_mask")


def random_action(actions: Any, mask: Any = None) -> Any:
    """An action of a space, one that its mask allows where there is a mask."""
    import numpy as np

    sizes = _sizes(actions)
    row = _row(mask) if mask is not None else None
    if row is None or len(row) != sum(sizes) or not sizes:
        return actions.sample()
    parts = tuple(np.split(row.astype(np.int8), np.cumsum(sizes)[:-1]))
    return actions.sample(mask=parts[0] if np.ndim(actions.sample()) == 0 else parts)


def _when(step: int) -> str:
    return f"step {step} of random ones" if step else "a reset"


def _boxes(
    space: Any, name: str = "", get: Callable[[Any], Any] = lambda x: x
) -> Iterator[tuple[str, Callable[[Any], Any], Any]]:
    """The Boxes of a space: their names, how to get at them, and themselves."""
    from gymnasium import spaces

    if isinstance(space, spaces.Box) and space.low.size:
        yield name, get, space
    elif isinstance(space, spaces.Dict | spaces.Tuple):
        items = space.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, part in items:
            inner = f"{name}.{key}" if name else str(key)
            yield from _boxes(part, inner, functools.partial(_part_of, key, get))


def _part_of(key: Any, get: Callable[[Any], Any], observation: Any) -> Any:
    return get(observation)[key]


def _sizes(actions: Any) -> list[int]:
    """How many choices each component of an action has."""
    from gymnasium import spaces

    if isinstance(actions, spaces.Discrete):
        return [int(actions.n)]
    if isinstance(actions, spaces.MultiDiscrete):
        return [int(n) for n in actions.nvec.flatten()]
    return []


def _row(mask: Any) -> Any:
    """A mask as one array of booleans, the components of an action one after the other."""
    import numpy as np

    nested = isinstance(mask, list | tuple) and len(mask) > 0 and np.ndim(mask[0]) > 0
    row = np.concatenate([np.ravel(part) for part in mask]) if nested else np.ravel(mask)
    return row != 0


def _allows_nothing(mask: Any, sizes: list[int]) -> bool:
    """Whether a mask leaves a component without a choice."""
    import numpy as np

    row = _row(mask)
    if len(row) != sum(sizes):
        return False  # which the run says
    return not all(part.any() for part in np.split(row, np.cumsum(sizes)[:-1]))
