"""From a spec file to a checked AgentSpec: layers merged, every value's origin kept.

Later layers win: the language's defaults, the preset, what the spec extends, the spec, and the
command line's overrides. Mappings merge; lists and scalars replace.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ppoc.compiler import suggest
from ppoc.compiler.checks import CHECKS
from ppoc.compiler.diagnostics import Diagnostic, Span, SpecError, ordered
from ppoc.compiler.language import AgentSpec
from ppoc.compiler.lints import LINTS
from ppoc.compiler.recovery import checked, recovered
from ppoc.compiler.source import GREEK, INHERITED, MAX_DEPTH, Node, parse, read
from ppoc.compiler.validate import explain

MAX_EXTENDS = 16


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
class Resolved:
    """A checked spec, and where each of its values comes from."""

    spec: AgentSpec
    root: Node
    source_text: str
    is_lock: bool
    overridden: bool
    warnings: list[Diagnostic] = field(default_factory=list)

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
class Examined:
    """All that is wrong with a spec, and the spec as far as it is right."""

    found: list[Diagnostic]
    resolved: Resolved | None  # None where the document cannot be read as a spec
    whole: bool  # whether `resolved` lacks nothing

    @property
    def failed(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.found)


def resolve(path: Path, overrides: Sequence[str] = ()) -> Resolved:
    """The checked spec of a file.

    Raises:
        SpecError: with every problem of the spec that can be found without its environment.
    """
    return _right(examine(path, overrides))


def resolve_text(text: str, name: str, overrides: Sequence[str] = ()) -> Resolved:
    """The checked spec of a text, which diagnostics call `name`.

    Raises:
        SpecError: as `resolve` does.
    """
    return _right(_examine(text, Path(name), overrides))


def examine(path: Path, overrides: Sequence[str] = ()) -> Examined:
    """Every problem of a spec file that can be found without its environment."""
    try:
        return _examine(read(path), path, overrides)
    except SpecError as error:
        return Examined(error.diagnostics, None, whole=False)


def _right(examined: Examined) -> Resolved:
    if examined.failed or examined.resolved is None:
        raise SpecError(examined.found)
    return examined.resolved


def _examine(text: str, path: Path, overrides: Sequence[str]) -> Examined:
    found: list[Diagnostic] = []
    layers = [_told(partial(_override, override), found) for override in overrides]
    own = _told(lambda: _mapping(parse(text, str(path), found=found)), found)
    if own is None:
        return Examined(ordered(found), None, whole=False)
    is_lock = own.value.get("lock", Node(None)).value is not None
    user = _extended(own, path, [path.resolve()], found)
    for layer in layers:
        user = user if layer is None else merge(user, layer)
    root = user
    if not is_lock:
        preset = _told(lambda: _preset(user), found) or Node({})
        root = _critic_like_actor(_with_name(merge(preset, user), path))
    return _checked(root, text, is_lock=is_lock, overridden=bool(overrides), found=found)


def _told(step: Callable[[], Node], found: list[Diagnostic]) -> Node | None:
    """What a step gives, or None and its problems among those found."""
    try:
        return step()
    except SpecError as error:
        found += error.diagnostics
        return None


def _checked(
    root: Node, text: str, *, is_lock: bool, overridden: bool, found: list[Diagnostic]
) -> Examined:
    """What is wrong with a document besides what was found while it was read."""
    spec: AgentSpec | None
    errors: list[ErrorDetails] = []
    try:
        spec = AgentSpec.model_validate(root.plain())
    except ValidationError as error:
        errors = error.errors()
        spec = recovered(errors, root)
    # What could not be read may hold the keys that are missing.
    told = [d for d in explain(errors, root) if not (found and d.code == "E013")]
    if spec is None or found:
        return Examined(_each_place_once(found, told), None, whole=False)
    whole = not errors
    resolved = Resolved(spec, root, text, is_lock, overridden)
    meant = [d for check in CHECKS for d in checked(check, resolved, whole=whole)]
    if not told and not is_lock and not any(d.severity == "error" for d in meant):
        meant += [d for lint in LINTS for d in lint(resolved)]
    all_found = _each_place_once(told, [d for d in meant if not _allowed(d, text)])
    return Examined(all_found, replace(resolved, warnings=all_found), whole)


def _each_place_once(first: list[Diagnostic], then: list[Diagnostic]) -> list[Diagnostic]:
    """Both lists in order, without what the second says of a place that the first is about."""
    places = {diagnostic.span for diagnostic in first if diagnostic.span is not None}
    return ordered([*first, *(d for d in then if d.span not in places)])


def merge(below: Node, above: Node) -> Node:
    """Two layers as one; where both have a value that is not a mapping, the upper's."""
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(above, value=merged)


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


def _mapping(node: Node) -> Node:
    if isinstance(node.value, dict):
        return node
    help = "a spec is a mapping that begins with `ppoc: 1`"
    raise SpecError([Diagnostic("E005", "the document is not a mapping", node.span, help=help)])


def _extended(own: Node, path: Path, chain: list[Path], found: list[Diagnostic]) -> Node:
    """A document over what it extends, and over what that extends."""
    link = own.value.get("extends")
    if link is None:
        return own
    rest = replace(own, value={k: node for k, node in own.value.items() if k != "extends"})
    base = _told(lambda: _base(link, path, chain, found), found)
    return rest if base is None else merge(base, rest)


def _base(link: Node, path: Path, chain: list[Path], found: list[Diagnostic]) -> Node:
    """The document that `extends` names, over what it extends in turn."""

    def refuse(message: str, help: str) -> SpecError:
        return SpecError([Diagnostic("E017", message, link.span, help=help)])

    if not isinstance(link.value, str) or Path(link.value).suffix not in (".yaml", ".yml"):
        raise refuse("`extends` takes the path of a .yaml file", "such as `extends: base.yaml`")
    target = path.parent / link.value
    try:
        resolved = target.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL in the name
        raise refuse(f"cannot read {target}: {error}", "name another file") from error
    if resolved in chain:
        names = " → ".join(item.name for item in [*chain, target])
        raise refuse(f"the specs extend each other in a circle: {names}", "break the circle")
    if len(chain) > MAX_EXTENDS:
        raise refuse(f"more than {MAX_EXTENDS} specs extend each other", "flatten the chain")
    try:
        text = read(target)
    except SpecError as error:
        raise refuse(error.diagnostics[0].message, "paths are relative to this file") from error
    via = f"extended by {link.span.label()}" if link.span else ""
    base = _mapping(parse(text, str(target), "extends", via, found))
    return _extended(base, target, [*chain, resolved], found)


def _override(text: str) -> Node:
    """The layer of one `-s key.path=value`."""
    source = f"-s {text}"
    key, equals, value = text.partition("=")
    steps = [GREEK.get(step, step) for step in key.strip().split(".")]

    def place(start: int, end: int) -> Span:
        return Span(source, 1, start + 1, max(start + 2, end + 1), source)

    offset = len("-s ")
    key_span = place(offset, offset + len(key))
    if not equals or not all(re.fullmatch(r"[^\W\d]\w*", step) for step in steps):
        help = "write `-s key.path=value`, such as `-s losses.policy.epsilon=0.1`"
        raise SpecError([Diagnostic("E018", f"not an override: {text!r}", key_span, help=help)])
    if len(steps) > MAX_DEPTH or steps[0] in ("extends", "lock"):
        help = "an override gives a value of the language, such as `losses.policy.epsilon`"
        raise SpecError(
            [Diagnostic("E018", f"not to be overridden: {key[:80]!r}", key_span, help=help)]
        )
    start = offset + len(key) + 1
    try:
        node = (
            _moved(parse(value, source, "override"), source, start) if value.strip() else Node(None)
        )
    except SpecError as error:
        whole = place(start, len(source))
        first = error.diagnostics[0]
        raise SpecError([replace(first, span=whole)]) from None
    node = replace(node, span=place(start, len(source)), key_span=key_span, origin="override")
    for step in reversed(steps):
        node = Node({step: node}, key_span, key_span, "override")
    return node


def _moved(node: Node, source: str, columns: int) -> Node:
    """A node parsed from the value of an override, with places in the whole flag."""

    def move(span: Span | None) -> Span | None:
        if span is None:
            return None
        shifted = replace(span, column=span.column + columns, end_column=span.end_column + columns)
        return replace(shifted, line=1, text=source)

    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(item, source, columns) for key, item in value.items()}
    elif isinstance(value, list):
        value = [_moved(item, source, columns) for item in value]
    return replace(node, value=value, span=move(node.span), key_span=move(node.key_span))


@cache
def presets() -> dict[str, str]:
    """Name → text of every preset."""
    root = Path(str(files("ppoc.specs"))) / "presets"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(root.glob("*.yaml"))}


def _preset(user: Node) -> Node:
    chosen = user.value.get("algorithm")
    if chosen is None or not isinstance(chosen.value, str):
        return Node({})  # the language says that it is missing, or not a word
    if chosen.value not in presets():
        names = ", ".join(presets())
        help = f"{suggest.did_you_mean(chosen.value, presets())} one of: {names}".strip()
        message = f"unknown preset `{chosen.value[:80]}`"
        raise SpecError([Diagnostic("E016", message, chosen.span, help=help)])
    return parse(presets()[chosen.value], f"preset {chosen.value}", f"preset {chosen.value}")


def _with_name(root: Node, path: Path) -> Node:
    """A spec without a name is called after its file."""
    if "name" in root.value:
        return root
    name = re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:64] or "agent"
    return replace(root, value={**root.value, "name": Node(name, origin="the file's name")})


def _critic_like_actor(root: Node) -> Node:
    """What the critic's optimiser leaves out is as the actor's, but for an adaptive rate."""
    optimizer = root.value.get("optimizer")
    if optimizer is None or not isinstance(optimizer.value, dict):
        return root
    actor = optimizer.value.get("actor", Node({}))
    critic = optimizer.value.get("critic", Node({}, actor.span, actor.key_span, INHERITED))
    if not (isinstance(actor.value, dict) and isinstance(critic.value, dict)):
        return root
    schedule = actor.value.get("schedule")
    own = {"schedule", "kl_target"} if schedule and schedule.value == "adaptive" else set()
    shared = {key: node for key, node in actor.value.items() if key not in own}
    copied = {key: replace(node, origin=INHERITED) for key, node in shared.items()}
    both = {**optimizer.value, "critic": replace(critic, value={**copied, **critic.value})}
    return replace(root, value={**root.value, "optimizer": replace(optimizer, value=both)})


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
