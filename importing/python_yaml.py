"""YAML that Python wrote with tags of its own, such as `!!python/tuple`: read as data, never made.

RL Zoo saves a trained agent's settings as `!!python/object/apply:collections.OrderedDict` of pairs.
Tags of lists, pairs and names pass; what would make another object is refused.
"""

import re
from dataclasses import replace
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import parse

TAG = re.compile(r"!!python/([\w/]+)(?::([\w.]+))?")
ORDERED = ("object/apply", "collections.OrderedDict")


def read_python_yaml(text: str, source: str) -> Node:
    """The document of a YAML text, its tagged values as mappings, lists and texts.

    Raises:
        SpecError: E002 to E006, as `parse`; also E006 where a tag would make an object.
    """
    found: list[Diagnostic] = []
    root = parse(text, source, found=found)
    tags, wrong = {}, []
    for diagnostic in found:
        span = diagnostic.span
        at = TAG.match(span.text, span.column - 1) if span and diagnostic.code == "E006" else None
        if span is None or at is None:
            wrong.append(diagnostic)
        else:
            tags[span] = (at[1], at[2] or "")
    reader = _Reader(tags, wrong)
    root = reader.plain(root)
    if wrong:
        raise SpecError(wrong)
    return root


class _Reader:
    """Nodes without their tags."""

    def __init__(self, tags: dict[Span, tuple[str, str]], wrong: list[Diagnostic]) -> None:
        self._tags, self._wrong = tags, wrong

    def plain(self, node: Node) -> Node:
        value: Any = node.value
        tag = self._tags.get(node.span) if node.span else None
        if isinstance(value, dict):
            value = {key: self.plain(item) for key, item in value.items()}
        elif isinstance(value, list):
            value = [self.plain(item) for item in value]
        if tag is None:
            return replace(node, value=value)
        kind, name = tag
        if tag == ORDERED and (pairs := _pairs(value)) is not None:
            value = pairs
        elif kind == "name" and name and not isinstance(value, dict | list):
            value = name
        elif kind not in ("tuple", "list", "dict", "str", "int", "float", "bool", "none"):
            what = f"{kind}:{name}" if name else kind
            message = f"the tag !!python/{what[:80]} would make an object: it is not read"
            help = "write the value in plain YAML"
            self._wrong.append(Diagnostic("E006", message, node.span, help=help))
        return replace(node, value=value)


def _pairs(value: Any) -> dict[str, Node] | None:
    """The mapping that a list with a list of pairs stands for."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0].value, list):
        return None
    found = {}
    for pair in value[0].value:
        if not isinstance(pair.value, list) or len(pair.value) != 2:
            return None
        key, item = pair.value
        if not isinstance(key.value, str) or key.value in found:
            return None
        found[key.value] = replace(item, key_span=key.span)
    return found
