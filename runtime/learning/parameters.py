"""Parameters as one flat vector, and the initialisers that fill it.

With all parameters in one vector, gradient clipping and Adam are one fused kernel each instead of
one a tensor, and a compiled update has three tensors to guard instead of forty.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def size(shapes: Shapes) -> int:
    """Number of parameters P in a layout."""
    return sum(math.prod(shape) for shape in shapes.values())


def unflatten(params: Tensor, shapes: Shapes) -> dict[str, Tensor]:
    """Named views, [..., *shape], into flat vectors [..., P]; differentiable."""
    chunks = torch.split(params, [math.prod(shape) for shape in shapes.values()], -1)
    several = params.shape[:-1]
    return {
        name: chunk.view(*several, *shape)
        for (name, shape), chunk in zip(shapes.items(), chunks, strict=True)
    }


def flatten(tensors: Mapping[str, Tensor], shapes: Shapes) -> Tensor:
    """The flat vector [P] of named tensors, in the order of `shapes`.

    Raises:
        ValueError: a tensor is missing or has another shape.
    """
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != shape:
            raise ValueError(f"parameter {name}: expected shape {shape}, found {found}")
    return torch.cat([tensors[name].reshape(-1) for name in shapes])


def as_arrays(params: Tensor, shapes: Shapes) -> dict[str, NDArray[np.float32]]:
    """Named NumPy arrays of flat vectors [..., P]; without a copy where they lie on the CPU."""
    return {
        name: tensor.numpy() for name, tensor in unflatten(params.detach().cpu(), shapes).items()
    }


def orthogonal(rows: int, columns: int, gain: float, generator: torch.Generator) -> Tensor:
    """A scaled (semi-)orthogonal weight [rows, columns] (Saxe et al. 2014, arXiv:1312.6120)."""
    weight = torch.empty(rows, columns)
    return torch.nn.init.orthogonal_(weight, gain, generator=generator)


def uniform(*shape: int, fan_in: int, generator: torch.Generator) -> Tensor:
    """U(±1/√fan_in), what torch.nn.Linear starts its weights and biases from."""
    bound = 1 / math.sqrt(fan_in)
    return torch.empty(*shape).uniform_(-bound, bound, generator=generator)


def xavier(
    rows: int,
    columns: int,
    gain: float,
    generator: torch.Generator,
    fan_out: int | None = None,
) -> Tensor:
    """U(±gain √(6 / (fan in + fan out))), [rows, columns] (Glorot and Bengio 2010).

    `fan_out` is `rows` for an affine layer; a convolution has `rows` at each place of its kernel.
    """
    bound = gain * math.sqrt(6 / (columns + (fan_out or rows)))
    return torch.empty(rows, columns).uniform_(-bound, bound, generator=generator)


def kaiming(rows: int, columns: int, gain: float, generator: torch.Generator) -> Tensor:
    """U(±gain √(3 / fan in)), [rows, columns] (He et al. 2015, where the gain is √2)."""
    return uniform(rows, columns, fan_in=columns, generator=generator) * (gain * math.sqrt(3))
