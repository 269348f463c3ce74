"""Spaces of environments, compared with those that a module was compiled for.

A module has the outlines of its spaces in literals: their kind first, then of a Box its shape,
dtype and bounds, of choices their numbers and where these start, of a Dict or a Tuple the outlines
of its parts.
"""

from typing import Any

import numpy as np
from gymnasium import Space, Wrapper, spaces

from ppoc.runtime.envs.vector import EnvironmentFailure, Outlines

Outline = tuple[Any, ...]


class SpacesError(ValueError):
    """An environment with other spaces than those expected; the text names both."""


def check_spaces(expected: Outlines, observations: "Space[Any]", actions: "Space[Any]") -> None:
    """See that observations and actions are what a module was compiled for.

    Args:
        expected: outlines of both; an empty one is not compared.

    Raises:
        SpacesError: they are not.
    """
    found = (("observations", observations), ("actions", actions))
    differ = [
        f"its {name} are {str(space)[:300]}, not {text(outline)[:300]}"
        for outline, (name, space) in zip(expected, found, strict=True)
        if outline and not fits(outline, space)
    ]
    if differ:
        raise SpacesError("; ".join(differ))


def observed(env: Any) -> "Space[Any]":
    """The observation space of one environment before wrappers that only lay observations out."""
    from ppoc.runtime.envs.wrappers import Observed

    while isinstance(env, Wrapper) and isinstance(env, Observed):
        env = env.env
    space: Space[Any] = env.observation_space
    return space


def fits(outline: Outline, space: "Space[Any]") -> bool:
    """Whether a space has an outline; bounds agree to five digits."""
    kind, *values = outline
    if not isinstance(space, getattr(spaces, kind, Space)):
        return False
    match space:
        case spaces.Box():
            shape, dtype, low, high = values
            same = space.shape == shape and dtype in (None, space.dtype.name)
            return same and _near(space.low, low) and _near(space.high, high)
        case spaces.Discrete():
            return [space.n, space.start] == values
        case spaces.MultiDiscrete():
            found = (space.nvec, getattr(space, "start", space.nvec * 0))
            return all(map(np.array_equal, found, values))
        case spaces.MultiBinary():
            return [space.shape] == values
        case spaces.Dict():
            (parts,) = values
            names = [str(name) for name in space]
            return names == [name for name, _ in parts] and all(
                fits(part, inner) for (_, part), inner in zip(parts, space.values(), strict=True)
            )
        case spaces.Tuple():
            (parts,) = values
            return len(parts) == len(space.spaces) and all(map(fits, parts, space.spaces))
    return True


def in_any_backend(outline: Outline) -> Outline:
    """An outline of a Box without type and bounds, in which backends differ; others as they are."""
    return (*outline[:2], None, None, None) if outline[:1] == ("Box",) else outline


def text(outline: Outline) -> str:
    """An outline as gymnasium prints the space."""
    kind, *values = outline
    match kind:
        case "Box":
            shape, dtype, *bounds = values
            low, high = ("…" if bound is None else str(bound) for bound in bounds)
            inside = f"{low}, {high}, {shape}, {dtype or '…'}"
        case "Discrete":
            inside = f"{values[0]}, start={values[1]}" if values[1] else f"{values[0]}"
        case "Dict":
            inside = ", ".join(f"{name!r}: {text(part)}" for name, part in values[0])
        case "Tuple":
            inside = ", ".join(map(text, values[0]))
        case _:
            inside = ", ".join(map(str, values[:1]))
    return f"{kind}({inside})"


def _near(bound: Any, expected: Any) -> bool:
    return expected is None or bool(
        np.allclose(np.ravel(bound), np.asarray(expected), rtol=1e-5, atol=1e-8)
    )


def compare_spaces(env_id: str, expected: Outlines, observations: Any, actions: Any) -> None:
    """See that an environment's spaces are those that a module was compiled for.

    Raises:
        EnvironmentFailure: they are not; it names both, and what to do.
    """
    try:
        check_spaces(expected, observations, actions)
    except SpacesError as error:
        raise EnvironmentFailure(
            f"{env_id} has changed since its module was compiled: {error}. Bring the environment "
            "back as it was, or compile the spec again and train anew"
        ) from error
