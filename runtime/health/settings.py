"""Constants of a module that say what is healthy for its run, which may be anybody's."""

from collections.abc import Mapping
from typing import Any, TypeGuard

LARGEST = 1e15
SIGNED = ("MISSING_END_SCORE",)  # of the numbers, those that may be negative
PRESENT = ("ACTION_LOW", "ARCHITECTURE")  # that are there, whatever they hold


def usable(constants: Mapping[str, Any]) -> dict[str, Any]:
    """Constants without those that no generated module has: of other types, or out of range.

    What is left out is so for a run and for who reads its folder: a module says no limit of a
    gradient as infinity, which is not read as a constant.
    """
    known = {name: x for name, x in constants.items() if name in PRESENT or _fits(name, x)}
    shapes = constants.get("SHAPES")
    known["SHAPES"] = {**shapes} if _are_shapes(shapes) else {}
    return known


def _fits(name: str, value: Any) -> bool:
    if type(value) not in (int, float):
        return False
    return bool((-LARGEST if name in SIGNED else 0) <= value < LARGEST)


def _are_shapes(value: Any) -> TypeGuard[Mapping[str, tuple[int, ...]]]:
    return isinstance(value, Mapping) and all(
        isinstance(name, str)
        and isinstance(shape, tuple)
        and all(type(size) is int and 0 <= size < LARGEST for size in shape)
        for name, shape in value.items()
    )
