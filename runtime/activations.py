"""Activations that NumPy lacks, for the actor's NumPy form."""

import numpy as np


def elu(x: np.ndarray) -> np.ndarray:
    """x where positive, eˣ − 1 elsewhere (Clevert et al. 2016, eq. 15, α = 1); any shape."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def silu(x: np.ndarray) -> np.ndarray:
    """x · sigmoid(x) (Elfwing et al. 2018); any shape."""
    # tanh form of the sigmoid: it does not overflow for large negative x.
    return x * (0.5 + 0.5 * np.tanh(0.5 * x))
