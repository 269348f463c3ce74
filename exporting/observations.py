"""Observations on their way from what an environment gives to what the networks see.

Once in torch, as part of the exported policy, and once as the runtime's wrappers do it, to compare.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ppoc.exporting.interface import Given, Leaf, dtype_of

ROWS = 64  # observations that policies are compared on


def lay_out(env: Given, parts: tuple[Tensor, ...]) -> Tensor:
    """Networks' inputs, [N, …], from the policy's: the leaves, then any mask of actions."""
    leaves = parts[: len(env.leaves)]
    if env.flattens:
        flat = [_flat(leaf, part) for leaf, part in zip(env.leaves, leaves, strict=True)]
        seen = torch.cat(flat, -1) if len(flat) > 1 else flat[0]
    else:
        (seen,) = leaves
        if env.channels_last and len(env.leaves[0].space.shape) == 2:
            seen = seen.unsqueeze(-3)
        elif env.channels_last:
            seen = seen.movedim(-1, -3)
        seen = seen if _is_pixels(env) else seen.float()
    if env.stack:
        seen = seen.flatten(1, 2)
    return torch.cat([seen, parts[-1].float()], -1) if env.masks else seen


def _flat(leaf: Leaf, part: Tensor) -> Tensor:
    """A part of an observation as a vector, [..., size]; choices are one-hot."""
    from gymnasium.spaces import Discrete, MultiDiscrete

    space = leaf.space
    if isinstance(space, Discrete):
        return _one_hot(part, int(space.start), int(space.n))
    axes = len(space.shape)
    part = part.flatten(part.ndim - axes) if axes else part.unsqueeze(-1)
    if isinstance(space, MultiDiscrete):
        sizes = [int(n) for n in space.nvec.ravel()]
        starts = np.broadcast_to(getattr(space, "start", 0), space.nvec.shape).ravel()
        columns = part.unbind(-1)
        each = zip(columns, starts, sizes, strict=True)
        return torch.cat([_one_hot(column, int(start), n) for column, start, n in each], -1)
    return part.float()


def _one_hot(choice: Tensor, start: int, size: int) -> Tensor:
    numbers = torch.arange(start, start + size, device=choice.device)
    return (choice.unsqueeze(-1) == numbers).float()


def _is_pixels(env: Given) -> bool:
    """Whether the networks get bytes, which they scale themselves."""
    space = env.leaves[0].space
    return space.dtype == np.uint8 and (env.channels_last or len(space.shape) == 3)


def draw(env: Given, center: Any = None, spread: Any = None) -> list[NDArray[Any]]:
    """Random inputs [ROWS, …]: the leaves, then the mask of actions if any.

    Args:
        center, spread: of vectors that are normalised, the range that the policy has seen.
    """
    rng = np.random.default_rng(0)
    frames = (env.stack,) if env.stack else ()
    parts = []
    for leaf in env.leaves:
        shape = (ROWS, *frames, *(leaf.space.shape or ()))
        if center is not None and np.shape(center) == shape[1:]:
            part = center + spread * rng.standard_normal(shape)
        else:
            part = _drawn(leaf.space, shape, rng)
        parts.append(np.asarray(part, dtype_of(leaf.space)))
    if env.masks:
        allowed = rng.random((ROWS, env.masks)) < 0.6
        firsts = np.cumsum([0, *env.choices[:-1]])
        allowed[:, firsts] = True
        parts.append(allowed)
    return parts


def _drawn(space: Any, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    from gymnasium.spaces import Box, Discrete, MultiBinary

    if isinstance(space, Discrete):
        return rng.integers(space.start, space.start + space.n, shape)
    if isinstance(space, MultiBinary):
        return rng.integers(0, 2, shape)
    if not isinstance(space, Box):
        start = getattr(space, "start", 0)
        return start + rng.integers(0, np.broadcast_to(space.nvec, shape))
    if space.dtype.kind == "f":
        return np.clip(2 * rng.standard_normal(shape), space.low, space.high)
    low, high = (np.clip(bound, -1000, 1000).astype(np.int64) for bound in (space.low, space.high))
    return rng.integers(low, high + 1, shape)


def as_wrapped(env: Given, parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The same inputs as the runtime's wrappers lay them out, row by row."""
    from gymnasium import spaces

    leaves = parts[: len(env.leaves)]
    rows = []
    for row in range(len(leaves[0])):
        frames = [list(part[row]) if env.stack else [part[row]] for part in leaves]
        seen = []
        for values in zip(*frames, strict=True):
            value = values[0]
            if env.flattens:
                value = np.asarray(spaces.flatten(env.space, _nested(env.space, iter(values))))
            elif env.channels_last:
                value = value[None] if value.ndim == 2 else np.moveaxis(value, -1, 0)
            seen.append(value if _is_pixels(env) and not env.flattens else np.float32(value))
        rows.append(np.concatenate(seen) if len(seen) > 1 else seen[0])
    found = np.stack(rows)
    if not env.masks:
        return found
    return np.concatenate([found, parts[-1]], -1, dtype=np.float32)


def _nested(space: Any, values: Any) -> Any:
    """An observation of a space, of the values of its leaves."""
    from gymnasium.spaces import Dict, Tuple

    if isinstance(space, Dict):
        return {key: _nested(inner, values) for key, inner in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(_nested(inner, values) for inner in space.spaces)
    return next(values)
