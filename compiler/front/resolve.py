"""From a spec's text to a checked spec: layers merged, every value's origin kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError, ordered
from ppoc.compiler.front.merge import (
    attempt,
    current,
    extended,
    mapping,
    merge,
    override,
    with_name,
)
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.recovery import recovered
from ppoc.compiler.front.rules import Phase
from ppoc.compiler.front.source import parse, read
from ppoc.compiler.front.spec import Examined, ResolvedSpec, SpecKind
from ppoc.compiler.front.suggest import did_you_mean
from ppoc.compiler.front.validate import described, explain


def examine(
    path: Path,
    overrides: Sequence[str],
    kinds: Mapping[str, SpecKind],
    layers: Sequence[Node] = (),
) -> Examined:
    """Every problem of a spec file that can be found in it alone; see `examine_text`."""
    try:
        return examine_text(read(path), path, overrides, kinds, layers)
    except SpecError as error:
        return Examined(error.diagnostics, None)


def examine_text(
    text: str,
    path: Path,
    overrides: Sequence[str],
    kinds: Mapping[str, SpecKind],
    layers: Sequence[Node] = (),
) -> Examined:
    """Every problem of a spec that can be found in its text alone.

    Args:
        path: what diagnostics call it; what it extends is relative to that.
        kinds: name → kind, of those that it may be of; the first where it does not say.
        layers: documents that it is laid below, the overrides above these.
    """
    found: list[Diagnostic] = []
    flags = [attempt(partial(override, flag), found) for flag in overrides]
    above = [*layers, *(flag for flag in flags if flag is not None)]
    as_written = attempt(lambda: mapping(parse(text, str(path), found=found)), found)
    own = None if as_written is None else attempt(lambda: current(as_written), found)
    if own is None:
        return Examined(ordered(found), None)
    changed = bool(overrides or layers) or own is not as_written
    return examine_document(own, text, path, above, kinds, found=found, changed=changed)


def examine_document(
    own: Node,
    text: str,
    path: Path,
    above: Sequence[Node],
    kinds: Mapping[str, SpecKind],
    *,
    found: list[Diagnostic],
    changed: bool = True,
) -> Examined:
    """Every problem of a document that can be found in it alone, besides those that are known.

    Args:
        text: around it, whose comments may silence advice.
        path: of the file that it stands in.
        above: layers over it.
        found: what is known to be wrong with it.
        changed: whether it is more than `text`.
    """
    is_lock = own.value.get("lock", Node(None)).value is not None
    user = extended(own, path, [path.resolve()], found)
    for layer in above:
        user = replace(merge(user, layer), span=user.span, key_span=user.key_span)
    kind = _kind_of(user, kinds, found)
    if kind is None:
        return Examined(ordered(found), None)
    root = user
    if not is_lock:
        root = kind.layered(with_name(user, path), found)
    document = partial(kind.resolved, kind, kinds, root, text, is_lock, changed, folder=path.parent)
    return _checked(document, root, kind, found)


def _kind_of(user: Node, kinds: Mapping[str, SpecKind], found: list[Diagnostic]) -> SpecKind | None:
    """The kind that a document says it is; None, and a problem among those found, of no kind."""
    said = user.value.get("kind", Node(next(iter(kinds))))
    if isinstance(said.value, str) and said.value in kinds:
        return kinds[said.value]
    close = did_you_mean(said.value, kinds) if isinstance(said.value, str) else ""
    help = f"{close} one of: {', '.join(kinds)}".strip()
    message = f"`kind` cannot be {described(said.value)}"
    found.append(Diagnostic("E014", message, said.span or said.key_span, help=help))
    return None


def _checked(
    document: Callable[..., ResolvedSpec],
    root: Node,
    kind: SpecKind,
    found: list[Diagnostic],
) -> Examined:
    """Check a document for faults besides those that were found while it was read."""
    spec: BaseModel | None
    errors: list[ErrorDetails] = []
    left_out: tuple[tuple[str, ...], ...] = ()
    try:
        spec = kind.model.model_validate(root.plain())
    except ValidationError as error:
        errors = error.errors()
        spec, left_out = recovered(errors, root, kind)
    # Text that could not be read may hold the keys that are missing.
    told = [d for d in explain(errors, root, kind) if not (found and d.code == "E013")]
    if spec is None or found:
        return Examined(_each_place_once(found, told), None)
    resolved = document(spec, left_out=left_out)
    meant = resolved.findings(Phase.SPEC)
    if not told and not any(d.severity == "error" for d in meant):
        meant += resolved.findings(Phase.ADVICE)
    all_found = _each_place_once(told, meant)
    return Examined(all_found, replace(resolved, warnings=all_found))


def _each_place_once(first: list[Diagnostic], then: list[Diagnostic]) -> list[Diagnostic]:
    """Both lists in order, without what the second says of a place that the first is about."""
    places = {diagnostic.span for diagnostic in first if diagnostic.span is not None}
    return ordered([*first, *(d for d in then if d.span not in places)])
