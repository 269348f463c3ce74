"""From a spec file to a checked spec: layers merged, every value's origin kept."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ppoc.compiler.agent.checks import CHECKS
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.lints import LINTS
from ppoc.compiler.agent.peers import PEERS
from ppoc.compiler.agent.presets import critic_like_actor, preset
from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError, ordered
from ppoc.compiler.front.merge import (
    attempt,
    current,
    extended,
    mapping,
    merge,
    override,
    with_name,
)
from ppoc.compiler.front.recovery import checked, recovered
from ppoc.compiler.front.source import Node, parse, read
from ppoc.compiler.front.spec_kind import KINDS, Kind
from ppoc.compiler.front.suggest import did_you_mean
from ppoc.compiler.front.validate import described, explain
from ppoc.compiler.front.values import VERSION


@dataclass(frozen=True)
class Origin:
    """Where a value comes from."""

    kind: str
    span: Span | None = None

    def label(self) -> str:
        """In a few words, such as `spec.yaml:12`, `preset ppo` or `default`."""
        if self.kind in ("spec", "extends", "override") and self.span is not None:
            return self.span.label()
        return self.kind


@dataclass(frozen=True)
class Document:
    """A checked spec of some kind, and where each of its values comes from."""

    root: Node
    source_text: str
    is_lock: bool
    overridden: bool
    spec: BaseModel
    warnings: list[Diagnostic] = field(default_factory=list)
    folder: Path = Path()  # of the file that it is read from

    def origin(self, path: tuple[str, ...]) -> Origin:
        """The origin of the value at a path; `default` where no layer has it."""
        node = find(self.root, path)
        return Origin(node.origin, node.span) if node is not None else Origin("default")

    def advice(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """What is left of some warnings after `# ppoc: allow`; nothing for a lock."""
        if self.is_lock:
            return []
        return ordered(d for d in found if not _allowed(d, self.source_text))

    def said(self, *paths: tuple[str, ...]) -> tuple[str, ...]:
        """The first of some paths whose value is the spec's own; of none, the first."""
        kinds = ("spec", "extends", "override")
        return next((path for path in paths if self.origin(path).kind in kinds), paths[0])

    def error(
        self, code: str, path: tuple[str, ...], message: str, *, why: str = "", help: str = ""
    ) -> Diagnostic:
        """A diagnostic about the value at a path, or the nearest place above it."""
        return Diagnostic(code, message, nearest(self.root, path), why=why, help=help)

    def refusal(
        self, code: str, path: tuple[str, ...], message: str, help: str = "", why: str = ""
    ) -> SpecError:
        """That diagnostic alone, to be raised."""
        return SpecError([self.error(code, path, message, why=why, help=help)])


@dataclass(frozen=True)
class Resolved(Document):
    """A checked spec of an agent."""

    spec: AgentSpec


@dataclass(frozen=True)
class Examined:
    """All that is wrong with a spec, and the spec as far as it is right."""

    found: list[Diagnostic]
    resolved: Document | None  # None where the document cannot be read as a spec
    whole: bool  # whether `resolved` lacks nothing

    @property
    def failed(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.found)


def resolve(path: Path, overrides: Sequence[str] = ()) -> Resolved:
    """The checked spec of a file, which is an agent's.

    Raises:
        SpecError: with every problem of the spec that can be found without its environment; E401
            where it is of another kind.
    """
    return _of_control(_right(examine(path, overrides)))


def resolve_text(text: str, name: str, overrides: Sequence[str] = ()) -> Resolved:
    """The checked spec of a text, which diagnostics call `name`.

    Raises:
        SpecError: as `resolve` does.
    """
    return _of_control(_right(_examine(text, Path(name), overrides)))


def resolve(path: Path, overrides: Sequence[str] = ()) -> Document:
    """The checked spec of a file, of whatever kind: a Resolved or an RlhfResolved.

    Raises:
        SpecError: with every problem of the spec that can be found in it alone.
    """
    return _right(examine(path, overrides))


def resolve_text(text: str, name: str, overrides: Sequence[str] = ()) -> Document:
    """As `resolve`, of a text that diagnostics call `name`."""
    return _right(_examine(text, Path(name), overrides))


def examine(path: Path, overrides: Sequence[str] = ()) -> Examined:
    """Every problem of a spec file that can be found in it alone."""
    try:
        return _examine(read(path), path, overrides)
    except SpecError as error:
        return Examined(error.diagnostics, None, whole=False)


def _right(examined: Examined) -> Document:
    if examined.failed or examined.resolved is None:
        raise SpecError(examined.found)
    return examined.resolved


def _of_control(document: Document) -> Resolved:
    if isinstance(document, Resolved):
        return document
    message = "this verb is for agents in environments, and the spec is of another kind"
    help = "give a spec with an `env`"
    raise document.refusal("E401", ("kind",), message, help)


def kind_named(name: str) -> Kind:
    """The kind of spec that has a name."""
    if name == "rlhf":
        from ppoc.compiler.rlhf.kind import RLHF

        return RLHF
    return CONTROL


def _examine(text: str, path: Path, overrides: Sequence[str]) -> Examined:
    found: list[Diagnostic] = []
    layers = [attempt(partial(override, flag), found) for flag in overrides]
    as_written = attempt(lambda: mapping(parse(text, str(path), found=found)), found)
    own = None if as_written is None else attempt(lambda: current(as_written), found)
    if own is None:
        return Examined(ordered(found), None, whole=False)
    is_lock = own.value.get("lock", Node(None)).value is not None
    user = extended(own, path, [path.resolve()], found)
    for layer in layers:
        user = user if layer is None else merge(user, layer)
    kind = _kind_of(user, found)
    if kind is None:
        return Examined(ordered(found), None, whole=False)
    root = user
    if not is_lock:
        root = with_name(user, path)
        if kind is CONTROL:
            below = attempt(lambda: preset(user), found) or Node({})
            root = critic_like_actor(merge(below, root))
    changed = bool(overrides) or own is not as_written
    examined = _checked(root, text, kind, is_lock=is_lock, overridden=changed, found=found)
    if examined.resolved is None:
        return examined
    return replace(examined, resolved=replace(examined.resolved, folder=path.parent))


def _kind_of(user: Node, found: list[Diagnostic]) -> Kind | None:
    """The kind that a document says it is; None, and a problem among those found, of no kind."""
    said = user.value.get("kind", Node(KINDS[0]))
    if said.value in KINDS:
        return kind_named(said.value)
    close = did_you_mean(said.value, KINDS) if isinstance(said.value, str) else ""
    help = f"{close} one of: {', '.join(KINDS)}".strip()
    message = f"`kind` cannot be {described(said.value)}"
    found.append(Diagnostic("E014", message, said.span or said.key_span, help=help))
    return None


def _checked(
    root: Node,
    text: str,
    kind: Kind,
    *,
    is_lock: bool,
    overridden: bool,
    found: list[Diagnostic],
) -> Examined:
    """What is wrong with a document besides what was found while it was read."""
    spec: BaseModel | None
    errors: list[ErrorDetails] = []
    try:
        spec = kind.model.model_validate(root.plain())
    except ValidationError as error:
        errors = error.errors()
        spec = recovered(errors, root, kind)
    # What could not be read may hold the keys that are missing.
    told = [d for d in explain(errors, root, kind) if not (found and d.code == "E013")]
    if spec is None or found:
        return Examined(_each_place_once(found, told), None, whole=False)
    whole = not errors
    resolved = kind.resolved(root, text, is_lock, overridden, spec)
    meant = [d for check in kind.checks for d in checked(check, resolved, whole=whole)]
    if not told and not is_lock and not any(d.severity == "error" for d in meant):
        meant += [d for lint in kind.lints for d in lint(resolved)]
    all_found = _each_place_once(told, [d for d in meant if not _allowed(d, text)])
    return Examined(all_found, replace(resolved, warnings=all_found), whole)


def _each_place_once(first: list[Diagnostic], then: list[Diagnostic]) -> list[Diagnostic]:
    """Both lists in order, without what the second says of a place that the first is about."""
    places = {diagnostic.span for diagnostic in first if diagnostic.span is not None}
    return ordered([*first, *(d for d in then if d.span not in places)])


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


def _allowed(diagnostic: Diagnostic, text: str) -> bool:
    """Whether `# ppoc: allow W101`, on the line or as a comment of its own, silences a warning."""
    if diagnostic.severity != "warning":
        return False
    pattern = re.compile(rf"#\s*ppoc:\s*allow\b[^#\n]*\b{diagnostic.code}\b")
    lines = text.split("\n")
    if any(line.lstrip().startswith("#") and pattern.search(line) for line in lines):
        return True
    span = diagnostic.span
    return span is not None and not span.is_override and bool(pattern.search(span.text))


CONTROL = Kind(
    "control",
    AgentSpec,
    {"ppoc": VERSION, "name": "agent", "algorithm": "ppo", "env": {"id": "none"}},
    PEERS,
    Resolved,
    CHECKS,
    LINTS,
)
