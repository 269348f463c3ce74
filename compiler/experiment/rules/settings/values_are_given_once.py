"""E311: a seed, a task or a value of a grid that is listed twice would be run twice."""

from collections.abc import Iterator

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.rules import rule
from ppoc.compiler.front.spec import find
from ppoc.compiler.front.validate import described


@rule("E311", "seeds")
def seeds_are_given_once(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    if isinstance(resolved.spec.seeds, list):
        yield from _repeated(find(resolved.root, ("seeds",)), "seeds")


@rule("E311", "tasks")
def tasks_are_given_once(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    if resolved.spec.tasks:
        yield from _repeated(find(resolved.root, ("tasks",)), "tasks")


@rule("E311", "vary")
def values_of_grids_are_given_once(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    for key in resolved.spec.vary:
        yield from _repeated(find(resolved.root, ("vary", key)), f"vary.{key}")


@rule("E311", "search.space")
def choices_are_given_once(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    if resolved.spec.search is not None:
        for key, where in resolved.spec.search.space.items():
            if where.choice is not None:
                node = find(resolved.root, ("search", "space", key, "choice"))
                yield from _repeated(node, f"search.space.{key}")


def _repeated(node: Node | None, key: str) -> Iterator[Diagnostic]:
    seen: list[object] = []
    for item in node.value if node is not None else ():
        value = item.plain()
        if any(type(value) is type(other) and value == other for other in seen):
            message = f"`{key[:200]}` has {described(value)} twice"
            yield Diagnostic("E311", message, item.span, help="keep one of them")
        seen.append(value)
