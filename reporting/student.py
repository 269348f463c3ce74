"""Student's t distribution, in a few lines of mathematics and without SciPy."""

import math
from functools import lru_cache

TERMS = 300  # of the continued fraction, which converges in some dozens
TINY = 1e-300


def two_sided_p(t: float, freedom: float) -> float:
    """P(|T| ≥ |t|) of Student's t with `freedom` > 0 degrees of freedom.

    It is I_x(ν/2, 1/2) with x = ν / (ν + t²), the regularised incomplete beta function.
    """
    if math.isnan(t):
        return 1.0
    if math.isinf(t):
        return 0.0
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


@lru_cache(maxsize=4096)
def quantile(share: float, freedom: float) -> float:
    """The value that T exceeds with probability 1 - `share`, for a share of at least one half.

    Newton's method, and bisection where it would leave the bracket.
    """
    tail = 2 * (1 - share)
    low, high = 0.0, 1.0
    while two_sided_p(high, freedom) > tail:
        low, high = high, high * 4
        if high > 1e12:
            return math.inf
    t = (low + high) / 2
    for _ in range(100):
        excess = two_sided_p(t, freedom) - tail
        low, high = (t, high) if excess > 0 else (low, t)
        step = excess / (2 * _density(t, freedom))
        nearer = t + step
        if not low < nearer < high:
            nearer = (low + high) / 2
        if abs(nearer - t) <= 1e-12 * high:
            break
        t = nearer
    return t


def _density(t: float, freedom: float) -> float:
    front = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    bulk = (freedom + 1) / 2 * math.log1p(t * t / freedom)
    return max(TINY, math.exp(front - bulk) / math.sqrt(freedom * math.pi))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b) by its continued fraction.

    Source: Press et al. (2007), Numerical Recipes, 3rd edition, section 6.4.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction of the mirrored one converges faster
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b), by the method of Lentz."""
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 / _apart(1 + term * d), _apart(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _apart(value: float) -> float:
    return value if abs(value) > TINY else TINY
