"""Spaces of an environment: the observations that networks see, the actions they choose among."""

from typing import Any

from ppoc.compiler.agent.env.facts import EnvFacts, Layers, Outline
from ppoc.compiler.agent.language.networks import CONVOLUTIONAL
from ppoc.compiler.agent.resolved import ResolvedAgent

ID = ("env", "id")
MANY_BOUNDS = 8  # different ones, beyond which an outline leaves them out


def observations(resolved: ResolvedAgent, space: Any) -> tuple[tuple[int, ...], float, Layers]:
    """The shape that the networks see, the largest value of a pixel, and what shapes it so."""
    from gymnasium import spaces

    body = resolved.spec.networks.actor.body
    if body in CONVOLUTIONAL or (body == "custom" and len(space.shape or ()) in (2, 3)):
        return _images(resolved, space)
    if isinstance(space, spaces.Box) and _is_vector(space) and space.dtype.kind in "fiu":
        return (int(space.shape[0]),), 1.0, ()
    try:
        size = spaces.flatdim(space)
    except (NotImplementedError, ValueError):
        size = 0
    if size and getattr(space, "is_np_flattenable", True):
        return (int(size),), 1.0, (("Flatten", {}),)
    message = f"observations of `{resolved.spec.env.id}` are {space}"
    help = "ppoc takes what gymnasium can flatten to a vector of one length"
    raise resolved.spec_error("E106", ID, message, help)


def _images(resolved: ResolvedAgent, space: Any) -> tuple[tuple[int, ...], float, Layers]:
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or len(space.shape) not in (2, 3):
        what = f"a Box of {space.shape}" if isinstance(space, Box) else str(space)
        message = f"observations of `{resolved.spec.env.id}` are {what}, not images"
        path = ("networks", "actor", "body")
        help = "use `body: mlp`; a convolution takes a Box of [height, width] or with channels"
        raise resolved.spec_error("E106", path, message, help)
    pixel = float(space.high.max()) if space.dtype.kind == "u" else 1.0
    shape = tuple(int(side) for side in space.shape)
    if len(shape) == 2:
        return (1, *shape), pixel, (("ChannelsFirst", {}),)
    if shape.index(min(shape)) == 0:
        return shape, pixel, ()
    return (shape[2], *shape[:2]), pixel, (("ChannelsFirst", {}),)


def action_facts(resolved: ResolvedAgent, space: Any) -> EnvFacts:
    """Facts of the actions, the rest left empty."""
    from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

    def facts(kind: str, size: int, **more: Any) -> EnvFacts:
        return EnvFacts("", "gymnasium", (), kind, size, **more)

    if isinstance(space, Discrete):
        return facts("discrete", int(space.n))
    if isinstance(space, MultiDiscrete):
        choices = tuple(int(n) for n in space.nvec.flatten())
        return facts("multi-discrete", sum(choices), choices=choices)
    if isinstance(space, MultiBinary):
        return facts("binary", int(space.sample().size))
    if isinstance(space, Box) and space.dtype.kind == "f" and space.low.size:
        low, high = (tuple(float(x) for x in bound.flat) for bound in (space.low, space.high))
        return facts("continuous", len(low), action_low=low, action_high=high)
    message = f"actions of `{resolved.spec.env.id}` are {space}"
    help = "ppoc takes Discrete, MultiDiscrete, MultiBinary, and a Box of floating-point numbers"
    raise resolved.spec_error("E105", ID, message, help)


def outline(space: Any) -> Outline:
    """A space in literals, which `ppoc.runtime.envs.spaces` compares with another: its kind first.

    Of a Box: shape, dtype, bounds; of choices: their numbers and where these start; of a Dict or a
    Tuple: the outlines of its parts. Of other kinds nothing but the name.
    """
    from gymnasium import spaces

    match space:
        case spaces.Box():
            low, high = _bounds(space.low), _bounds(space.high)
            return ("Box", tuple(map(int, space.shape)), space.dtype.name, low, high)
        case spaces.Discrete():
            return ("Discrete", int(space.n), int(space.start))
        case spaces.MultiDiscrete():
            starts = getattr(space, "start", space.nvec * 0)
            return ("MultiDiscrete", _nested(space.nvec.tolist()), _nested(starts.tolist()))
        case spaces.MultiBinary():
            return ("MultiBinary", tuple(map(int, space.shape)))
        case spaces.Dict():
            return ("Dict", tuple((str(key), outline(part)) for key, part in space.items()))
        case spaces.Tuple():
            return ("Tuple", tuple(map(outline, space.spaces)))
    return (type(space).__name__,)


def _bounds(bound: Any) -> float | tuple[float, ...] | None:
    """A bound of a Box: a number where all components share it; None where there are too many."""
    rounded = [float(f"{x:.6g}") for x in bound.flat]
    if len(set(rounded)) == 1:
        return rounded[0]
    return tuple(rounded) if len(rounded) <= MANY_BOUNDS else None


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def _is_vector(space: Any) -> bool:
    """Whether the elements of a Box are vectors with a component or more."""
    return len(space.shape) == 1 and space.shape[0] > 0
