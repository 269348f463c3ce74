"""Gamma variables from noise drawn beforehand."""

import numpy as np
from numpy.typing import NDArray

# A try is accepted with a probability of 0.95 or more: one in 10¹⁰ variables finds none of these.
TRIES = 8


def gamma_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Noise for variables of a shape, [*shape, 2, TRIES]: normal, then uniform in [0, 1)."""
    noise = np.empty((*shape, 2, TRIES), np.float32)
    noise[..., 0, :] = rng.standard_normal((*shape, TRIES), dtype=np.float32)
    noise[..., 1, :] = rng.random((*shape, TRIES), dtype=np.float32)
    return noise


def gamma(alpha: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gamma(α, 1) variables [...] for α ≥ 1, [...], and `gamma_noise`, [..., 2, TRIES].

    Marsaglia and Tsang 2000, A simple method for generating gamma variables; the first accepted try
    counts. Noise that is all zero gives α − 1/3, which is the median to within 4 %.
    """
    normal, uniform = noise[..., 0, :], noise[..., 1, :]
    d = alpha[..., None] - np.float32(1 / 3)
    v = (1 + normal / np.sqrt(9 * d)) ** 3
    with np.errstate(divide="ignore", invalid="ignore"):
        accepted = np.log(uniform) < 0.5 * normal**2 + d * (1 - v + np.log(v))
    accepted &= v > 0
    first = accepted.argmax(-1)[..., None]
    return np.asarray(np.take_along_axis(d * v, first, -1)[..., 0], np.float32)
