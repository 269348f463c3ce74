"""Changes to a spec, written by dotted keys or in sections, as a layer over it."""

from dataclasses import replace

from ppoc.compiler.front.merge import merge
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import GREEK


def layer(changes: Node) -> Node:
    """Changes as a document: `{a.b: 1}` and `{a: {b: 1}}` are the same; the last one counts."""
    document = replace(changes, value={})
    for key, node in changes.value.items():
        document = merge(document, at(key, node))
    return document


def at(key: str, node: Node) -> Node:
    """A document with a value at a dotted key; places are the value's and the key's."""
    node = layer(node) if isinstance(node.value, dict) else node
    for step in reversed(key.split(".")):
        place = node.key_span or node.span
        node = Node({GREEK.get(step, step): node}, place, place, node.origin)
    return node
