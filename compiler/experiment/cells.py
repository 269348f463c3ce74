"""Each setting of an experiment on each of its tasks, as a spec whose seed is still open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ppoc.compiler import zoo
from ppoc.compiler.experiment.changes import at
from ppoc.compiler.experiment.settings import Setting
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.merge import LinkError, current, extended, linked, mapping
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.resolve import examine_document
from ppoc.compiler.front.source import parse, read
from ppoc.compiler.front.spec import Examined, SpecKind
from ppoc.compiler.front.suggest import did_you_mean


@dataclass(frozen=True)
class Source:
    """The place of an experiment: its text and file, and the kinds that its runs may be of."""

    text: str
    path: Path
    kinds: Mapping[str, SpecKind]


@dataclass(frozen=True)
class Base:
    """A spec that runs start from, as it is written.

    Attributes:
        document: over what it extends, without a preset or defaults.
        text: that it stands in.
        path: of that file.
        found: what is wrong with its text.
    """

    document: Node
    text: str
    path: Path
    found: tuple[Diagnostic, ...] = ()


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


def cells(
    settings: Sequence[Setting], root: Node, source: Source
) -> tuple[list[Cell], list[Diagnostic]]:
    """Each setting on each task, and the problems of bases that cannot be read."""
    found: list[Diagnostic] = []
    made: list[Cell] = []
    bases: dict[int, Base] = {}
    tasks = root.value.get("tasks", Node([])).value
    for setting in settings:
        try:
            if id(setting.base) not in bases:
                bases[id(setting.base)] = _read(setting, root, source)
        except SpecError as error:
            found += error.diagnostics
            continue
        base = bases[id(setting.base)]
        layers = (_named(root, setting), *setting.layers)
        key = _kind(base, source).task
        if not tasks:
            made.append(Cell(setting, _task(base, layers, key), base, layers, source.kinds))
        elif key:
            for task in tasks:
                above = (*layers, at(key, task))
                made.append(Cell(setting, str(task.value), base, above, source.kinds))
        else:
            message = f"runs of `{setting.name}` have no tasks"
            help = "leave `tasks` out: only agents learn in environments"
            found.append(Diagnostic("E304", message, root.value["tasks"].key_span, help=help))
    return made, list(dict.fromkeys(found))


def _named(root: Node, setting: Setting) -> Node:
    """The layer with a name for the specs of a setting, below its own."""
    name = f"{root.value['name'].value}-{setting.name}"
    text = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-")[:64]
    return Node({"name": Node(text, origin="the experiment")})


def _kind(base: Base, source: Source) -> SpecKind:
    """The kind of a base; of one that has none of these, the first, whose checks will tell."""
    said = base.document.value.get("kind", Node(None)).value
    known = isinstance(said, str) and said in source.kinds
    return source.kinds[said if known else next(iter(source.kinds))]


def _task(base: Base, layers: Sequence[Node], key: str) -> str:
    """The environment of a base under its changes, if it is there to see."""
    found = ""
    for document in (base.document, *layers):
        node: Node | None = document
        for step in key.split(".") if key else ():
            node = node.value.get(step) if node and isinstance(node.value, dict) else None
        found = str(node.value) if key and node is not None else found
    return found


def _read(setting: Setting, root: Node, source: Source) -> Base:
    """The spec that `base` says: one of the zoo, a file below the experiment's folder, or inline.

    Raises:
        SpecError: E301, there is none; or what is wrong with its text.
    """
    node = setting.base
    if node is None or node.value is None:
        place = root.value.get("variants", Node({})).value.get(setting.path[-1], root)
        message = f"`{setting.name}` has no base" if setting.path[0] == "variants" else "no `base`"
        help = "add `base: ppo/cartpole`, or another of `ppoc zoo list`, or a file"
        raise SpecError([Diagnostic("E301", message, place.key_span or place.span, help=help)])
    found: list[Diagnostic] = []
    if isinstance(node.value, dict):
        whole = extended(current(node), source.path, [source.path.resolve()], found)
        return Base(whole, source.text, source.path, tuple(found))
    name = str(node.value)
    known = zoo.paths()
    key = zoo.key_of(name)
    path = known[key] if key in known else _file(node, name, source, known)
    text = read(path)
    via = f"base of {node.span.label()}" if node.span else ""
    own = current(mapping(parse(text, str(path), "spec", via, found)))
    whole = extended(own, path, [path.resolve()], found)
    return Base(whole, text, path, tuple(found))


def _file(node: Node, name: str, source: Source, known: Mapping[str, Path]) -> Path:
    def refuse(message: str, help: str) -> SpecError:
        return SpecError([Diagnostic("E301", message, node.span, help=help)])

    if not name.endswith((".yaml", ".yml")):
        close = did_you_mean(name, known, cutoff=0.7)
        help = f"{close} `ppoc zoo list` has the names; a file's ends in .yaml".strip()
        raise refuse(f"the zoo has no {name[:200]}", help)
    try:
        path, _ = linked(name, source.path, source.path.resolve())
        if not path.is_file():
            raise refuse(f"there is no {path}", "paths are relative to the experiment's file")
    except LinkError as error:
        raise refuse(f"`base` {error}", error.help) from error
    return path
