"""Tensors and NamedTuples of them, laid flat and put together again."""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

# The type of each part and its number of tensors; of a single tensor, None and 1.
Kinds = list[tuple[type[Any] | None, int]]


Parts = TypeVar("Parts", bound=tuple[Tensor, ...])


def move(parts: Parts, device: torch.device | str) -> Parts:
    """A NamedTuple of tensors on another device."""
    return type(parts)(*(tensor.to(device) for tensor in parts))


def padded(parts: Parts, rows: int) -> Parts:
    """A NamedTuple of tensors of so many rows each, those that it lacks being zero.

    A compiled function takes one shape, also where a batch is smaller than the others.
    """
    more = rows - len(parts[0])
    if not more:
        return parts
    return type(parts)(*(torch.cat([x, x.new_zeros(more, *x.shape[1:])]) for x in parts))


def flat(parts: Sequence[Any]) -> list[Tensor]:
    """The tensors of parts that are tensors, or NamedTuples of them."""
    tensors: list[Tensor] = []
    for part in parts:
        if isinstance(part, Tensor):
            tensors.append(part)
        else:
            tensors.extend(part)
    return tensors


def kinds(parts: Sequence[Any]) -> Kinds:
    """The types of parts and their numbers of tensors, which `assemble` needs."""
    return [(None, 1) if isinstance(part, Tensor) else (type(part), len(part)) for part in parts]


def assemble(kinds: Kinds, tensors: Sequence[Tensor]) -> list[Any]:
    """Parts of those kinds from the tensors in them."""
    parts, start = [], 0
    for kind, size in kinds:
        parts.append(tensors[start] if kind is None else kind(*tensors[start : start + size]))
        start += size
    return parts


def take_apart(result: Any) -> tuple[list[Tensor], Kinds | None]:
    """The tensors of what a function returned, and their kinds; None: it is a single tensor."""
    if isinstance(result, Tensor):
        return [result], None
    return flat(result), kinds(result)


def put_together(kinds: Kinds | None, tensors: Sequence[Tensor]) -> Any:
    """Put other tensors together as `take_apart` took parts apart."""
    return tensors[0] if kinds is None else tuple(assemble(kinds, tensors))
