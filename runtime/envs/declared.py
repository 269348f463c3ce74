"""Observations of a rollout, compared with the space that announced them; told once."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gymnasium import Space

SLACK = 1e-5  # of a bound, which rounding may exceed

# Bounds, and the same with their slack, of environments that were not told of yet; by name and by
# shape of an observation.
_bounds: dict[tuple[str, tuple[int, ...]], tuple[NDArray[Any], ...]] = {}


def announce(env_id: str, space: "Space[Any]") -> None:
    """Keep the bounds of an environment's observations, where it has some."""
    low, high = (np.asarray(getattr(space, name), np.float64) for name in ("low", "high"))
    if space.dtype is not None and space.dtype.kind == "f" and np.isfinite([low, high]).any():
        _bounds[env_id, low.shape] = (low, high, low - _slack(low), high + _slack(high))


def warn_outside(env_id: str, observations: NDArray[Any]) -> None:
    """Warn, once, of an environment whose observations [T, N, …] are not in its space."""
    key = (env_id, observations.shape[2:])
    if key not in _bounds:
        return
    low, high, lowest, highest = _bounds[key]
    least, most = observations.min((0, 1)), observations.max((0, 1))
    below, above = least < lowest, most > highest
    wrong = below | above
    if wrong.any():
        del _bounds[key]
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        value = least[place] if below[place] else most[place]
        text = (
            f"{env_id} gave observations outside its space: component "
            f"{', '.join(map(str, place))} was {value:.6g}, and the space goes from "
            f"{low[place]:.6g} to {high[place]:.6g}"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=2)


def _slack(bounds: NDArray[Any]) -> NDArray[Any]:
    """How far beyond its bound each component may be."""
    return SLACK * np.where(np.isfinite(bounds), np.abs(bounds) + 1, 0)
