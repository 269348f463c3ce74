"""The document of an experiment with one way to write each of its keys, where people have two."""

from collections.abc import Callable
from dataclasses import replace

from ppoc.compiler.experiment.changes import dotted, nested
from ppoc.compiler.experiment.settings import BASE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node


def normal(user: Node, found: list[Diagnostic]) -> Node:
    """Changes in sections; grids and spaces by dotted keys; the engine as a section.

    A key that is given twice goes to `found`.
    """

    def variant(node: Node) -> Node:
        if not isinstance(node.value, dict):
            return node
        own = {key: inner for key, inner in node.value.items() if key == BASE}
        rest = {key: inner for key, inner in node.value.items() if key != BASE}
        changes = nested(replace(node, value=rest), found)
        return replace(changes, value={**own, **changes.value})

    def variants(node: Node) -> Node:
        if not isinstance(node.value, dict):
            return node
        return replace(node, value={name: variant(one) for name, one in node.value.items()})

    def search(node: Node) -> Node:
        return _changed(node, {"space": lambda space: dotted(space, _is_range, found)})

    return _changed(
        user,
        {
            "set": lambda node: nested(node, found),
            "variants": variants,
            "vary": lambda node: dotted(node, lambda value: False, found),
            "search": search,
            "engine": lambda node: (
                node if _is_section(node) else replace(node, value={"name": node})
            ),
        },
    )


def _changed(node: Node, changes: dict[str, Callable[[Node], Node]]) -> Node:
    """A section with some of its values changed, where it has them."""
    if not _is_section(node):
        return node
    keys = {
        key: changes[key](inner) if key in changes and inner.value is not None else inner
        for key, inner in node.value.items()
    }
    return replace(node, value=keys)


def _is_section(node: Node) -> bool:
    return isinstance(node.value, dict)


def _is_range(node: Node) -> bool:
    """Whether a mapping of a space is a range, rather than a section of more keys."""
    return not all(_is_section(inner) for inner in node.value.values())
