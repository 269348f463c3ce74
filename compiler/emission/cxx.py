"""W206: a spec wants something compiled, and this machine has no C++ compiler."""

from collections.abc import Iterator, Sequence
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.program import Decision
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.formats.cxx import INSTALL, has_compiler, wanted

PATH = ("training", "compile")


@rule("W206", "training.compile", phase=Phase.ADVICE)
def always_needs_a_compiler(resolved: ResolvedSpec) -> Iterator[Diagnostic]:
    """A run of `compile: always` ends at its start where there is no compiler."""
    spec: Any = resolved.spec  # of any kind
    if spec.training.compile == "always" and not has_compiler():
        yield resolved.diagnostic(
            "W206",
            PATH,
            f"`training.compile` is always, and no C++ compiler is found here ({wanted()})",
            why="a run ends at its start where there is none",
            help=f"{INSTALL}; or set `training.compile: auto`",
        )


@rule("W206", phase=Phase.DECIDED)
def what_is_lost(resolved: ResolvedSpec, decisions: Sequence[Decision]) -> Iterator[Diagnostic]:
    """Parts that would be compiled, if there were a compiler."""
    lost = [decision for decision in decisions if decision.lacks_compiler]
    if lost:
        yield resolved.diagnostic(
            "W206",
            PATH,
            f"no C++ compiler is found here ({wanted()}), so this run is slower than it could be",
            why=f"{lost[0].name}: {lost[0].reason}",
            help=f"{INSTALL}; or set `training.compile: never`",
        )
