"""Numbers as reports show them."""

import math

from ppoc.reporting.aggregates import Estimate

NONE = "–"


def number(value: float | None) -> str:
    """A number of three or four digits, such as 1,234, 56.7 or 0.0123, with a proper minus."""
    if value is None or math.isnan(value):
        return NONE
    if value < 0:
        return f"−{number(-value)}"
    if 1000 <= value < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value >= 100 else f"{value:.3g}"


def signed(value: float) -> str:
    """The same, with a plus where it has no minus."""
    return number(value) if value < 0 else f"+{number(value)}"


def with_interval(estimate: Estimate | None) -> str:
    """An estimate with its interval, such as `0.75 [0.5, 1]`."""
    if estimate is None:
        return NONE
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def percent(share: float) -> str:
    """A share, such as 95% or 98.33%."""
    return f"{100 * share:.4g}%"
