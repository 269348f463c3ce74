"""The space of a search as Optuna has it, and values from there as a spec has them."""

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ppoc.compiler.experiment.language.search import Range

DIGITS = 6  # of numbers in specs


def distributions(space: Mapping[str, Range]) -> dict[str, BaseDistribution]:
    """The distribution of each key; choices stand there as JSON, for they may be anything."""
    return {key: _distribution(one) for key, one in space.items()}


def _distribution(one: Range) -> BaseDistribution:
    if one.int is not None:
        low, high = one.int
        return IntDistribution(low, high)
    if one.choice is not None:
        return CategoricalDistribution(list(dict.fromkeys(map(json.dumps, one.choice))))
    least, most = one.log or one.range or (0.0, 0.0)
    return FloatDistribution(least, most, log=one.log is not None)


def values(space: Mapping[str, Range], params: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a trial's parameters as a spec says them, in the order of the space.

    Raises:
        KeyError: the trial lacks one, or has what is no choice.
    """
    return {key: _value(one, params[key]) for key, one in space.items()}


def _value(one: Range, param: Any) -> Any:
    if one.choice is not None:
        return {json.dumps(choice): choice for choice in one.choice}[param]
    if one.int is not None:
        return min(max(int(param), one.int[0]), one.int[1])
    low, high = one.log or one.range or (param, param)
    return min(max(float(f"{param:.{DIGITS}g}"), low), high)


def words(values: Mapping[str, Any]) -> str:
    """Values in a line for people."""
    return ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items())
