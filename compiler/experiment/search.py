"""The ranges of a search as settings to check, and values of them as settings to try."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ppoc.compiler.experiment.changes import at
from ppoc.compiler.experiment.settings import Setting, label, settings
from ppoc.compiler.front.node import Node


def corners(root: Node) -> list[Setting]:
    """The base with each end and each choice of every range, one at a time, others at their first.

    What a spec may have at both ends, it may have between.
    """
    space = root.value["search"].value["space"].value
    ends = {key: ends_of(node) for key, node in space.items()}
    first = {key: nodes[0] for key, nodes in ends.items() if nodes}
    plain = _plain(root)
    found = []
    for key, nodes in ends.items():
        for node in nodes:
            values = {**first, key: node}
            layers = tuple(at(name, value) for name, value in values.items())
            name = label(key, node.plain(), list(ends))
            path = ("search", "space")
            found.append(Setting(name, plain.base, (*plain.layers, *layers), path, node.span))
    return found or [plain]


def trial(root: Node, values: Mapping[str, Any], name: str) -> Setting:
    """The base with values of a search, which stand where their ranges stand."""
    space = root.value["search"].value["space"].value
    plain = _plain(root)
    layers = tuple(at(key, _node(value, space[key])) for key, value in values.items())
    return Setting(name, plain.base, (*plain.layers, *layers), ("search", "space"))


def _plain(root: Node) -> Setting:
    """The base as `set` changes it."""
    kept = {key: node for key, node in root.value.items() if key not in ("variants", "vary")}
    return settings(Node(kept, root.span, root.key_span, root.origin))[0]


def ends_of(node: Node) -> list[Node]:
    """Both ends of a range, or all choices."""
    forms = node.value.values() if isinstance(node.value, dict) else ()
    found = [item for ends in forms if isinstance(ends.value, list) for item in ends.value]
    return [replace(item, key_span=node.key_span) for item in found]


def _node(value: Any, place: Node) -> Node:
    """A value at the place of its range."""
    if isinstance(value, list):
        value = [_node(item, place) for item in value]
    elif isinstance(value, dict):
        value = {key: _node(item, place) for key, item in value.items()}
    return Node(value, place.span, place.key_span, place.origin)
