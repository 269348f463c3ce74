"""The settings of an experiment: its variants, crossed with its grid."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppoc.compiler.experiment.changes import at, layer
from ppoc.compiler.front.node import Node

BASE = "base"


@dataclass(frozen=True)
class Setting:
    """One of the things that are compared.

    Attributes:
        name: what people call it, such as `entropy, lr=0.0003`.
        base: where its spec stands; None where it has none.
        layers: changes to that, lowest first.
        path: of the variant in the experiment, or of what else it comes from.
    """

    name: str
    base: Node | None
    layers: tuple[Node, ...]
    path: tuple[str, ...]


def settings(root: Node) -> list[Setting]:
    """The settings of an experiment's document, in order, each with a name of its own."""
    own, common = _section(root, BASE), _section(root, "set")
    shared = (layer(common),) if common is not None else ()
    variants = _section(root, "variants")
    grid = _section(root, "vary")
    points = list(_points(grid.value if grid is not None else {}))
    found = []
    for name, variant in variants.value.items() if variants is not None else [("", Node({}))]:
        base = variant.value.get(BASE, own)
        changes = {key: node for key, node in variant.value.items() if key != BASE}
        above = (layer(Node(changes, variant.span)),) if changes else ()
        path = ("variants", name) if name else ("vary",) if grid is not None else (BASE,)
        for label, point in points:
            whole = ", ".join(part for part in (name, label) if part) or base_name(base)
            found.append(Setting(whole, base, (*shared, *above, *point), path))
    return found


def base_name(base: Node | None) -> str:
    """The words for a setting that is the base as it is."""
    value = base.value if base is not None else ""
    if isinstance(value, dict):
        value = value.get("name", Node("base")).value
    return str(value).removesuffix(".yaml") or "base"


def label(key: str, value: Any, keys: Sequence[str]) -> str:
    """One value of a grid in a few words, such as `lr=0.0003`; `keys`: all of the grid."""
    return f"{short(key, keys)}={_text(value)}"


def short(key: str, keys: Sequence[str]) -> str:
    """The shortest end of a key that no other of some keys has."""
    steps = key.split(".")
    for length in range(1, len(steps) + 1):
        end = steps[-length:]
        if sum(other.split(".")[-length:] == end for other in keys) == 1:
            return ".".join(end)
    return key


def folder_name(setting: str, task: str, seed: int) -> str:
    """The name of a run's folder; two settings may have the same one."""
    parts = [*filter(None, (setting, task)), f"seed-{seed}"]
    text = re.sub(r"[^A-Za-z0-9._=+-]+", "-", "-".join(parts))
    return re.sub(r"-{2,}", "-", text).lstrip("._=+-")[-150:].lstrip("._=+-")


def distinct(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that come again."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}+{seen[name]}")
    return found


def _section(root: Node, key: str) -> Node | None:
    """A section that is there, and not empty."""
    node = root.value.get(key)
    return node if node is not None and node.value else None


def _points(grid: Mapping[str, Node]) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """Every point of a grid: its name, and the changes that lead there; one without a grid."""
    for chosen in itertools.product(*(node.value for node in grid.values())):
        names = [
            label(key, node.plain(), list(grid)) for key, node in zip(grid, chosen, strict=True)
        ]
        layers = tuple(at(key, node) for key, node in zip(grid, chosen, strict=True))
        yield ", ".join(names), layers


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
