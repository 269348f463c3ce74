"""A checked spec, and the kind that it is of: all that the front knows of either."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as Folder
from typing import Any, Protocol

from pydantic import BaseModel

from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError, ordered
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.rules import Phase, Rule, needs

Path = tuple[str, ...]  # of a value, key by key
EXPLICIT = ("spec", "extends", "override")  # origins of values that somebody wrote


@dataclass(frozen=True)
class Origin:
    """Where a value comes from."""

    kind: str
    span: Span | None = None

    def label(self) -> str:
        """The origin in a few words, such as `spec.yaml:12`, `preset ppo` or `default`."""
        if self.kind in EXPLICIT and self.span is not None:
            return self.span.label()
        return self.kind


@dataclass(frozen=True)
class ResolvedSpec:
    """A checked spec of some kind, and where each of its values comes from.

    Attributes:
        kinds: those that a spec which this one names may be of.
        folder: of the file that it is read from.
        left_out: paths of wrong values, which `spec` is without.
    """

    kind: "SpecKind"
    kinds: Mapping[str, "SpecKind"]
    root: Node
    source_text: str
    is_lock: bool
    overridden: bool
    spec: BaseModel
    warnings: list[Diagnostic] = field(default_factory=list)
    folder: Folder = Folder()
    left_out: tuple[Path, ...] = ()

    def origin(self, path: Path) -> Origin:
        """The origin of the value at a path; `default` where no layer has it."""
        node = find(self.root, path)
        return Origin(node.origin, node.span) if node is not None else Origin("default")

    def lacks(self, reads: tuple[str, ...]) -> bool:
        """Whether one of the values that are read is wrong, and so left out."""
        return any(needs(reads, path) for path in self.left_out)

    def findings(self, phase: Phase, *given: Any) -> list[Diagnostic]:
        """All that the rules of a phase find, but those that read a value that was left out."""
        rules = [rule for rule in self.kind.rules if rule.phase is phase]
        asked = [rule for rule in rules if not self.lacks(rule.reads)]
        return self.unsuppressed(d for rule in asked for d in rule.find(self, *given))

    def unsuppressed(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Errors, and the warnings that `# ppoc: allow` leaves; of a lock, errors only."""
        return ordered(
            diagnostic
            for diagnostic in found
            if diagnostic.severity == "error"
            or not (self.is_lock or allowed(diagnostic, self.source_text))
        )

    def is_explicit(self, path: Path) -> bool:
        """Whether somebody wrote the value at a path, rather than a preset or a default."""
        return self.origin(path).kind in EXPLICIT and not self.is_lock

    def first_explicit(self, *paths: Path) -> Path:
        """The first of some paths whose value is the spec's own; of none, the first."""
        return next((path for path in paths if self.origin(path).kind in EXPLICIT), paths[0])

    def diagnostic(
        self, code: str, path: Path, message: str, *, why: str = "", help: str = ""
    ) -> Diagnostic:
        """A diagnostic about the value at a path, or the nearest place above it."""
        return Diagnostic(code, message, nearest(self.root, path), why=why, help=help)

    def spec_error(
        self, code: str, path: Path, message: str, help: str = "", why: str = ""
    ) -> SpecError:
        """The error to raise for the one problem that `diagnostic` makes of the same arguments."""
        return SpecError([self.diagnostic(code, path, message, why=why, help=help)])


@dataclass(frozen=True)
class Examined:
    """All that is wrong with a spec, and the spec as far as it is right."""

    found: list[Diagnostic]
    resolved: ResolvedSpec | None  # None where the document cannot be read as a spec

    @property
    def failed(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.found)


class SpecKind(Protocol):
    """A language of specs with all that is done to one: the only thing that verbs know of it.

    Attributes:
        name: the value of the key `kind`.
        model: the language.
        required: what stands in for values that a spec must have, while another is wrong.
        peers: other libraries' names of values → where these go here.
        resolved: the class of its checked specs.
        rules: what its specs must keep, and advice on them.
        needed: keys that a spec which extends no other must have.
        introduction: a paragraph of the reference.
        task: key of the environment that a run learns in; empty where runs have none.
        alike: keys whose values should be the same in all that is compared with each other.
        pace: keys whose values the speed of a run follows from.
    """

    name: str
    model: type[BaseModel]
    required: Mapping[str, Any]
    peers: Mapping[str, str]
    resolved: type[ResolvedSpec]
    rules: Sequence[Rule]
    needed: Sequence[str]
    introduction: str
    task: str
    alike: Sequence[str]
    pace: Sequence[str]

    def presets(self) -> Mapping[str, str]:
        """Name → text of the presets that its specs may build on."""

    def starter(self, file: str, env: str, steps: int) -> str:
        """The text of a first spec, of an environment and steps where the kind has any."""

    def try_starter(self, resolved: Any, *, trust: bool) -> None:
        """Try what a first spec names, if it is there already; raises SpecError."""

    def layered(self, user: Node, found: list[Diagnostic]) -> Node:
        """A document over the layers below it, such as its preset; problems go to `found`."""

    def placed(self, document: Node) -> Node:
        """A document whose files have absolute names, as text that stands elsewhere needs it."""

    def probed(self, resolved: Any, *, right: bool, trust: bool) -> Iterator[Diagnostic]:
        """Problems that only the environment or the files of a spec show; `right`: all else is."""

    def length(self, resolved: Any) -> int:
        """Steps of a whole run; 0 of what is no run."""

    def compile(self, resolved: Any, *, trust: bool = False) -> Program:
        """The module of a spec, and what its folder says of it.

        Raises:
            SpecError: the environment or a file is not as the spec says.
        """

    def explain(self, resolved: Any, *, tex: bool = False) -> str:
        """The objectives of a spec as mathematics, in Unicode or LaTeX."""


def find(root: Node, path: Sequence[str | int]) -> Node | None:
    """The node at a path."""
    node: Node | None = root
    for step in path:
        value = node.value if node is not None else None
        if isinstance(value, dict):
            node = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            node = value[step]
        else:
            return None
    return node


def nearest(root: Node, path: Sequence[str | int]) -> Span | None:
    """The place of the value at a path, or of the nearest mapping around it."""
    for length in range(len(path), 0, -1):
        node = find(root, path[:length])
        if node is not None and node.span is not None:
            return node.span if length == len(path) else node.key_span or node.span
    return None


def allowed(diagnostic: Diagnostic, text: str) -> bool:
    """Whether `# ppoc: allow W101`, on the line or as a comment of its own, silences a warning."""
    pattern = re.compile(rf"#\s*ppoc:\s*allow\b[^#\n]*\b{diagnostic.code}\b")
    lines = text.split("\n")
    if any(line.lstrip().startswith("#") and pattern.search(line) for line in lines):
        return True
    span = diagnostic.span
    return span is not None and not span.is_override and bool(pattern.search(span.text))
