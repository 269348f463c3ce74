"""Units of Gaussian actions: as the environment takes them, or from the middle of their bounds."""

from collections.abc import Iterator
from math import isinf
from typing import NamedTuple

from ppoc.compiler.agent.env.facts import EnvFacts

OFF_CENTRE = 0.5  # of half a range, from the middle of which 0 is so far
SMALL, LARGE = 0.1, 10.0  # halves of a range that a deviation of 1 explores badly
NO_BOUND = 1e9  # as far as this, a bound stands for none


class Units(NamedTuple):
    """An action of the environment is center + scale · action of the policy, by component."""

    center: tuple[float, ...]
    scale: tuple[float, ...]


def units_of_bounds(facts: EnvFacts) -> Units:
    """The middle of each component's bounds and half their range; 0 and 1 where it has none."""
    rows = [
        ((low + high) / 2, (high - low) / 2) if _is_bounded(low, high) else (0.0, 1.0)
        for low, high in _bounds(facts)
    ]
    return Units(tuple(center for center, _ in rows), tuple(scale for _, scale in rows))


def is_bounded(facts: EnvFacts) -> bool:
    """Whether a component of an action has bounds on both sides."""
    return any(_is_bounded(low, high) for low, high in _bounds(facts))


def ill_fitting_bounds(facts: EnvFacts) -> tuple[float, float] | None:
    """The first bounds that actions around 0 of deviation 1 explore badly, or None."""
    for low, high in _bounds(facts):
        center, half = (low + high) / 2, (high - low) / 2
        if _is_bounded(low, high) and half > 0:
            off_centre = abs(center) > OFF_CENTRE * half
            if off_centre or not SMALL <= half <= LARGE:
                return low, high
    return None


def _bounds(facts: EnvFacts) -> Iterator[tuple[float, float]]:
    return zip(facts.action_low, facts.action_high, strict=True)


def _is_bounded(low: float, high: float) -> bool:
    return not (isinf(low) or isinf(high)) and max(abs(low), abs(high)) < NO_BOUND
