"""The document of an experiment that stands alone: its bases in it, its files by absolute names."""

from collections.abc import Sequence
from dataclasses import replace

from ppoc.compiler.experiment.cells import Cell
from ppoc.compiler.experiment.changes import at, steps
from ppoc.compiler.experiment.settings import BASE
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.spec import SpecKind, find


def inlined(root: Node, cells: Sequence[Cell]) -> Node:
    """A document with the bases of some cells in it, as each cell has it from `root`."""
    kinds = list({cell.base.kind.name: cell.base.kind for cell in cells}.values())
    value = {key: _placed(key, node, kinds) for key, node in root.value.items()}
    for cell in cells:
        base = cell.base.kind.placed(cell.base.document)
        if cell.setting.base is root.value.get(BASE):
            value[BASE] = base
            continue
        name = cell.setting.path[-1]
        variant = value["variants"].value[name]
        changed = replace(variant, value={**variant.value, BASE: base})
        value["variants"] = replace(
            value["variants"], value={**value["variants"].value, name: changed}
        )
    return replace(root, value=value)


def _placed(key: str, node: Node, kinds: Sequence[SpecKind]) -> Node:
    """A section of the document, with absolute names of the files that changes name."""
    if key == "set":
        return _by_all(node, kinds)
    if key == "variants" and node.value:
        return replace(node, value={name: _by_all(one, kinds) for name, one in node.value.items()})
    if key == "vary" and node.value:
        return replace(node, value={name: _values(name, one, kinds) for name, one in _items(node)})
    if key == "search" and node.value:
        space = node.value["space"]
        ranges = {
            name: replace(
                one, value={form: _values(name, ends, kinds) for form, ends in _items(one)}
            )
            for name, one in _items(space)
        }
        return replace(node, value={**node.value, "space": replace(space, value=ranges)})
    return node


def _items(node: Node) -> list[tuple[str, Node]]:
    return list(node.value.items())


def _values(key: str, values: Node, kinds: Sequence[SpecKind]) -> Node:
    """The values of a key, of a grid or a range."""
    if not isinstance(values.value, list):
        return values
    found = [find(_by_all(at(key, one), kinds), steps(key)) or one for one in values.value]
    return replace(values, value=found)


def _by_all(document: Node, kinds: Sequence[SpecKind]) -> Node:
    for kind in kinds:
        document = kind.placed(document)
    return document
