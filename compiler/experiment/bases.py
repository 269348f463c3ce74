"""The specs that runs start from: of the zoo, files below the experiment's folder, or inline."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ppoc.compiler import zoo
from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError
from ppoc.compiler.front.merge import LinkError, current, extended, linked, mapping
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import parse, read
from ppoc.compiler.front.spec import SpecKind
from ppoc.compiler.front.suggest import did_you_mean
from ppoc.compiler.front.values import VERSION

EXPERIMENT = "experiment"


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
        kind: that it says; the first of all where it says none of them, whose checks will tell.
        found: what is wrong with its text.
    """

    document: Node
    text: str
    path: Path
    kind: SpecKind
    found: tuple[Diagnostic, ...] = ()


@dataclass
class Bases:
    """The bases of an experiment, each read once, with the problems of those that cannot be."""

    source: Source
    found: list[Diagnostic] = field(default_factory=list)
    read: dict[int, Base | None] = field(default_factory=dict)  # by the node that says it

    def of(self, node: Node | None, name: str, place: Span | None) -> Base | None:
        """The base of the setting of a name, which stands at a place; None where it has none."""
        if node is None or node.value is None:
            message = f"`{name}` has no base" if name else "the experiment has no base"
            help = "add `base: ppo/cartpole`, or another of `ppoc zoo list`, or a file"
            self.found.append(Diagnostic("E301", message, place, help=help))
            return None
        if id(node) not in self.read:
            self.read[id(node)] = None
            try:
                self.read[id(node)] = _read(node, self.source)
            except SpecError as error:
                self.found += error.diagnostics
        return self.read[id(node)]


def _read(node: Node, source: Source) -> Base:
    """The spec that `base` says.

    Raises:
        SpecError: E301, there is none; or what is wrong with its text.
    """
    found: list[Diagnostic] = []
    text, path, own = source.text, source.path, node
    if isinstance(node.value, dict):
        version = Node(VERSION, node.span, node.key_span, EXPERIMENT)
        own = replace(node, value={"ppoc": version, **node.value})
    else:
        path = _file(node, str(node.value), source)
        text = read(path)
        via = f"base of {node.span.label()}" if node.span else ""
        own = mapping(parse(text, str(path), "spec", via, found))
    document = extended(current(own), path, [path.resolve()], found)
    said = document.value.get("kind", Node(None)).value
    if said == EXPERIMENT:
        help = "a base is one run; `extends: FILE` lays an experiment over another"
        message = "the base is an experiment itself"
        raise SpecError([Diagnostic("E301", message, node.span, help=help)])
    known = isinstance(said, str) and said in source.kinds
    kind = source.kinds[said if known else next(iter(source.kinds))]
    return Base(document, text, path, kind, tuple(found))


def _file(node: Node, name: str, source: Source) -> Path:
    """The file of a base: one that is there, or one of the zoo; raises as `_read` does."""

    def refuse(message: str, help: str) -> SpecError:
        return SpecError([Diagnostic("E301", message, node.span, help=help)])

    known = zoo.paths()
    in_zoo = known.get(zoo.key_of(name))
    if not name.endswith((".yaml", ".yml")):
        if in_zoo is not None:
            return in_zoo
        close = did_you_mean(name, known, cutoff=0.7)
        help = f"{close} `ppoc zoo list` has the names; a file's ends in .yaml".strip()
        raise refuse(f"the zoo has no {name[:200]}", help)
    try:
        path, _ = linked(name, source.path, source.path.resolve())
        if path.is_file():
            return path
    except LinkError as error:
        raise refuse(f"`base` {error}", error.help) from error
    if in_zoo is not None:
        return in_zoo
    help = "give the path of a regular file, from the experiment's own"
    raise refuse(f"there is no file {str(path)[:200]}", help)
