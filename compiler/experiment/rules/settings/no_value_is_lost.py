"""E303: a value that every setting replaces is a mistake, or a silent choice between two."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.experiment.settings import BASE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.rules import Phase, rule

WHY = "one of two values wins, and the text does not say which is meant"


@rule("E303", phase=Phase.PLANNED)
def no_value_is_lost(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    kept: set[int] = set()
    lost: dict[int, tuple[str, Node, Node]] = {}
    for setting in plan.settings:
        for number, layer in enumerate(setting.layers):
            for path, node in layer.leaves():
                above = setting.layers[number + 1 :]
                over = next((x for x in (_over(one, path) for one in above) if x), None)
                if over is None or node.value == {}:
                    kept.add(id(node))
                else:
                    lost[id(node)] = (".".join(path), node, over)
    for number_of, (key, node, over) in lost.items():
        if number_of not in kept:
            place = over.key_span or over.span
            where = f"on line {place.line}" if place is not None else "elsewhere"
            yield Diagnostic(
                "E303",
                f"`{key}` is given twice, and this value is never used",
                node.key_span or node.span,
                why=WHY,
                help=f"keep one; the other is {where}",
            )


@rule("E303", phase=Phase.PLANNED)
def the_base_is_used(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    base = plan.root.value.get(BASE)
    used = any(setting.base is base for setting in plan.settings)
    if base is not None and base.value is not None and not used:
        message = "every variant has a base of its own, and this one is never used"
        help = "remove it, or the `base` of a variant"
        yield Diagnostic("E303", message, base.key_span or base.span, help=help)


def _over(document: Node, path: tuple[str, ...]) -> Node | None:
    """The node of a document that takes the place of the value at a path."""
    node = document
    for step in path:
        if not isinstance(node.value, dict):
            return node
        if step not in node.value:
            return None
        node = node.value[step]
    return node
