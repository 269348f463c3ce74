"""Changes to a spec, by dotted keys or in sections: `{a.b: 1}` and `{a: {b: 1}}` are the same."""

from collections.abc import Callable
from dataclasses import replace

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import GREEK

ORIGINS = ("extends", "spec", "override")  # the later ones win


def nested(changes: Node, found: list[Diagnostic]) -> Node:
    """Changes as a document in sections; a value that is given twice goes to `found`."""
    if not isinstance(changes.value, dict):
        return changes
    document = replace(changes, value={})
    for key, node in changes.value.items():
        document = _joined(document, at(key, nested(node, found)), found)
    return replace(changes, value=document.value)


def dotted(
    section: Node, is_value: Callable[[Node], bool], found: list[Diagnostic], above: str = ""
) -> Node:
    """The values of a section, each by its whole key.

    Args:
        is_value: whether a mapping is a value, rather than a section of more keys.
    """
    if not isinstance(section.value, dict):
        return section
    flat = replace(section, value={})
    for key, node in section.value.items():
        name = above + ".".join(steps(key))
        inner = replace(section, value={name: node})
        if isinstance(node.value, dict) and node.value and not is_value(node):
            inner = dotted(node, is_value, found, f"{name}.")
        for whole, one in inner.value.items():
            here = flat.value.get(whole)
            flat.value[whole] = one if here is None else _chosen(here, one, whole, found)
    return flat


def at(key: str, node: Node) -> Node:
    """A document with a value at a dotted key; places are the value's and the key's."""
    place = node.key_span or node.span
    for step in reversed(steps(key)):
        node = Node({step: node}, place, place, node.origin)
    return node


def steps(key: str) -> list[str]:
    """The keys of a dotted key, with names for Greek letters; a malformed one stays as it is."""
    parts = key.split(".")
    return [GREEK.get(part, part) for part in parts] if all(parts) else [key]


def _joined(below: Node, above: Node, found: list[Diagnostic], key: str = "") -> Node:
    """Two documents as one; of a value that both have, the one of the later layer."""
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return _chosen(below, above, key, found)
    joined = dict(below.value)
    for step, node in above.value.items():
        whole = f"{key}.{step}" if key else step
        joined[step] = _joined(joined[step], node, found, whole) if step in joined else node
    return replace(above, value=joined)


def _chosen(one: Node, other: Node, key: str, found: list[Diagnostic]) -> Node:
    """The one of two values of a key that counts; in the same text, only one may be."""
    first, second = one.key_span or one.span, other.key_span or other.span
    if first is not None and second is not None and first.source == second.source:
        message = f"`{key[:200]}` is given twice"
        help = f"keep one; the other is on line {first.line}"
        found.append(Diagnostic("E303", message, second, help=help))
    return other if _rank(other) >= _rank(one) else one


def _rank(node: Node) -> int:
    return ORIGINS.index(node.origin) if node.origin in ORIGINS else 0
