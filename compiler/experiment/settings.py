"""The settings of an experiment: its variants, crossed with its grid."""

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ppoc.compiler.experiment.changes import at
from ppoc.compiler.front.diagnostics import Span
from ppoc.compiler.front.node import Node

BASE = "base"
LONGEST = 120  # name of a folder, without its seed
WIDEST = 40  # value in a name


@dataclass(frozen=True)
class Setting:
    """One of the things that are compared.

    Attributes:
        name: what people call it, such as `entropy, lr=0.0003`.
        base: where its spec stands; None where it has none.
        layers: changes to that, lowest first.
        path: of the variant in the experiment, or of what else it comes from.
        place: of that.
    """

    name: str
    base: Node | None
    layers: tuple[Node, ...]
    path: tuple[str, ...]
    place: Span | None = None


def settings(root: Node) -> list[Setting]:
    """The settings of an experiment's document, in order, each with a name of its own."""
    own, common = root.value.get(BASE), _section(root, "set")
    shared = (common,) if common is not None else ()
    variants = _section(root, "variants")
    grid = _section(root, "vary")
    points = list(_points(grid.value if grid is not None else {}))
    found = []
    for name, variant in variants.value.items() if variants is not None else [("", Node({}))]:
        base = variant.value.get(BASE, own)
        changes = {key: node for key, node in variant.value.items() if key != BASE}
        above = (replace(variant, value=changes),) if changes else ()
        path = ("variants", name) if name else ("vary",) if grid is not None else (BASE,)
        for label, point, place in points:
            whole = ", ".join(part for part in (name, label) if part) or base_name(base)
            here = variant.key_span or place or (base.span if base is not None else None)
            found.append(Setting(whole, base, (*shared, *above, *point), path, here))
    names = distinct([setting.name for setting in found])
    return [replace(one, name=name) for one, name in zip(found, names, strict=True)]


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
    what = "-".join(filter(None, (setting, task)))
    text = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._=+-]+", "-", what)).lstrip("._=+-")
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"
    return f"{text}-seed-{seed}".lstrip("-")


def distinct(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that come again, whatever the case of their letters."""
    taken = {name.casefold() for name in names}
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        own = name.casefold()
        seen[own] += 1
        again = name
        while again != name or seen[own] > 1:
            again = f"{name}+{seen[own]}"
            if again.casefold() not in taken:
                break
            seen[own] += 1
        taken.add(again.casefold())
        found.append(again)
    return found


def _section(root: Node, key: str) -> Node | None:
    """A section that is there, and not empty."""
    node = root.value.get(key)
    return node if node is not None and node.value else None


def _points(grid: Mapping[str, Node]) -> Iterator[tuple[str, tuple[Node, ...], Span | None]]:
    """Every point of a grid: its name, changes and place; one without a grid."""
    values = [
        [replace(value, key_span=node.key_span) for value in node.value] for node in grid.values()
    ]
    for chosen in itertools.product(*values):
        names = [
            label(key, node.plain(), list(grid)) for key, node in zip(grid, chosen, strict=True)
        ]
        layers = tuple(at(key, node) for key, node in zip(grid, chosen, strict=True))
        yield ", ".join(names), layers, chosen[-1].span if chosen else None


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, str) and re.fullmatch(r"[\w./~-]+", value):
        value = value.rpartition("/")[2] or value  # a lock has the whole path of a file
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
