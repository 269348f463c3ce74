"""Activations that NumPy lacks, for the actor's NumPy form."""

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def elu(x: Floats) -> Floats:
    """x where positive, eˣ − 1 elsewhere (Clevert et al. 2016, eq. 15, α = 1); any shape."""
    return np.asarray(np.where(x > 0, x, np.expm1(np.minimum(x, 0))), x.dtype)


def silu(x: Floats) -> Floats:
    """x · sigmoid(x) (Elfwing et al. 2018); any shape."""
    # tanh form of the sigmoid: it does not overflow for large negative x.
    return np.asarray(x * (0.5 + 0.5 * np.tanh(0.5 * x)), x.dtype)


def gelu(x: Floats) -> Floats:
    """x Φ(x), with the normal distribution's Φ (Hendrycks and Gimpel 2016)."""
    return np.asarray(torch.nn.functional.gelu(torch.from_numpy(x)).numpy())


def leaky_relu(x: Floats) -> Floats:
    """x where positive, else x / 100 (Maas et al. 2013)."""
    return np.asarray(np.where(x > 0, x, np.float32(0.01) * x), x.dtype)


def softplus(x: Floats) -> Floats:
    """log(1 + exp x), without overflow."""
    return np.asarray(np.logaddexp(np.float32(0), x), x.dtype)
