"""Rules: what specs are checked by, each with its code and the values that it reads.

A kind keeps its rules in a folder, one code a file; the folder is the list of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from importlib import import_module
from pkgutil import walk_packages

from ppoc.compiler.front.diagnostics import Diagnostic

Find = Callable[..., Iterator[Diagnostic]]


class Phase(Enum):
    """When a rule is asked, and so what it is given besides the spec."""

    SPEC = auto()  # nothing else
    ADVICE = auto()  # nothing else, once the spec keeps the rules
    PROBED = auto()  # the facts of its environment or files
    PLANNED = auto()  # its plan before any pass
    DECIDED = auto()  # the decisions of the passes


@dataclass(frozen=True)
class Rule:
    """A rule of a kind of spec; a code that starts with W makes it advice, which stops nothing.

    Attributes:
        reads: paths of the values that it reads; `networks.*` is all that is in `networks`, and
            `networks` alone whether it is there.
        find: the problems of a resolved spec, and of what its phase gives.
    """

    code: str
    reads: tuple[str, ...]
    phase: Phase
    find: Find


def rule(code: str, *reads: str, phase: Phase = Phase.SPEC) -> Callable[[Find], Rule]:
    """Make a rule of the function that finds its problems."""
    return lambda find: Rule(code, reads, phase, find)


def needs(reads: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether the value at a path, or one inside, is among those that are read."""
    return any(_is_needed(tuple(one.split(".")), path) for one in reads)


def _is_needed(one: tuple[str, ...], path: tuple[str, ...]) -> bool:
    section = one[:-1] if one[-1] == "*" else one
    return section[: len(path)] == path or (one is not section and path[: len(section)] == section)


def rules_in(*modules: str) -> tuple[Rule, ...]:
    """The rules that some modules hold, and those in the folders of packages among them."""
    found: list[Rule] = []
    for name in modules:
        place = import_module(name)
        below = walk_packages(getattr(place, "__path__", ()), f"{name}.")
        for each in (place, *(import_module(one.name) for one in below)):
            found += [value for value in vars(each).values() if isinstance(value, Rule)]
    return tuple(found)
