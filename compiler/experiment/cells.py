"""Each setting of an experiment on each of its tasks, as a spec whose seed is still open."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ppoc.compiler.experiment.bases import Base, Bases
from ppoc.compiler.experiment.changes import at
from ppoc.compiler.experiment.settings import Setting
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.resolve import examine_document
from ppoc.compiler.front.spec import Examined, SpecKind, find


@dataclass(frozen=True)
class Cell:
    """A setting on a task, whatever the seed.

    Attributes:
        task: the environment; empty where runs have none.
        layers: changes to its base, lowest first.
    """

    setting: Setting
    task: str
    base: Base = field(repr=False)
    layers: tuple[Node, ...] = field(repr=False)
    kinds: Mapping[str, SpecKind] = field(repr=False)

    def examined(self, *above: Node) -> Examined:
        """The spec of its runs under some more layers, such as one with a seed."""
        return examine_document(
            self.base.document,
            self.base.text,
            self.base.path,
            (*self.layers, *above),
            self.kinds,
            found=list(self.base.found),
        )


def cells(settings: Sequence[Setting], root: Node, bases: Bases) -> Iterator[Cell]:
    """Each setting on each task, but those whose base cannot be read; `bases` has the problems."""
    node = root.value.get("tasks", Node([]))
    for setting in settings:
        place = find(root, setting.path) if setting.path[0] == "variants" else root
        where = (place.key_span or place.span) if place is not None else None
        name = setting.path[-1] if setting.path[0] == "variants" else ""
        base = bases.of(setting.base, name, where)
        if base is None:
            continue
        layers = (_named(root, setting), *setting.layers)
        kinds, key = bases.source.kinds, base.kind.task
        if not node.value:
            yield Cell(setting, _task(base, layers), base, layers, kinds)
        elif key:
            for task in node.value:
                yield Cell(setting, str(task.value), base, (*layers, at(key, task)), kinds)
        else:
            message = f"runs of `kind: {base.kind.name}` have no tasks"
            help = "leave `tasks` out: only agents learn in environments"
            bases.found.append(Diagnostic("E304", message, node.key_span, help=help))


def _named(root: Node, setting: Setting) -> Node:
    """The layer with a name for the specs of a setting, below its own."""
    name = f"{root.value['name'].value}-{setting.name}"
    text = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-")[:64]
    return Node({"name": Node(text, origin="the experiment")})


def _task(base: Base, layers: Sequence[Node]) -> str:
    """The environment of a base under its changes, if it is there to see."""
    if not base.kind.task:
        return ""
    path = base.kind.task.split(".")
    found = [find(document, path) for document in (base.document, *layers)]
    return next((str(node.value) for node in reversed(found) if node is not None), "")
