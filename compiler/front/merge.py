"""The layers of a spec, each a document: what it extends, its preset, the command line's overrides.

Later layers win: the language's defaults, the preset, what the spec extends, the spec, and the
command line's overrides. Mappings merge; lists and scalars replace.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import GREEK, MAX_DEPTH, parse, read
from ppoc.compiler.front.values import VERSION
from ppoc.compiler.front.versions import UPDATE, Format, VersionError

MAX_EXTENDS = 16
LANGUAGE: Format[Node] = Format("spec language", VERSION)
LOCK: Format[Node] = Format("lock format", 1)


def merge(below: Node, above: Node) -> Node:
    """Two layers as one; where both have a value that is not a mapping, the upper's."""
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(above, value=merged)


def attempt(step: Callable[[], Node], found: list[Diagnostic]) -> Node | None:
    """The result of a step, or None, with its problems added to those found."""
    try:
        return step()
    except SpecError as error:
        found += error.diagnostics
        return None


def mapping(node: Node) -> Node:
    """A node that is a mapping.

    Raises:
        SpecError: E005, it is none.
    """
    if isinstance(node.value, dict):
        return node
    help = "a spec is a mapping that begins with `ppoc: 1`"
    raise SpecError([Diagnostic("E005", "the document is not a mapping", node.span, help=help)])


def current(document: Node) -> Node:
    """A document in this version of the language; what is no version at all, the language tells.

    Raises:
        SpecError: E015, its version is newer, or none that is read.
    """
    for path, form in ((("ppoc",), LANGUAGE), (("lock", "format"), LOCK)):
        node: Node | None = document
        for key in path:
            node = node.value.get(key) if node and isinstance(node.value, dict) else None
        if node is None or type(node.value) is not int or node.value == form.version:
            continue
        try:
            document = _placed(form.current(document, node.value), path, form.version)
        except VersionError as error:
            help = f"if a newer ppoc wrote it, {UPDATE}; this one reads `ppoc: {LANGUAGE.version}`"
            raise SpecError([Diagnostic("E015", str(error), node.span, help=help)]) from error
    return document


def _placed(document: Node, path: tuple[str, ...], value: int) -> Node:
    """A document with another value at a path that it has."""
    if not path:
        return replace(document, value=value)
    inner = _placed(document.value[path[0]], path[1:], value)
    return replace(document, value={**document.value, path[0]: inner})


def extended(own: Node, path: Path, chain: list[Path], found: list[Diagnostic]) -> Node:
    """A document over what it extends, and over what that extends."""
    link = own.value.get("extends")
    if link is None:
        return own
    rest = replace(own, value={k: node for k, node in own.value.items() if k != "extends"})
    base = attempt(lambda: _base(link, path, chain, found), found)
    return rest if base is None else merge(base, rest)


def _base(link: Node, path: Path, chain: list[Path], found: list[Diagnostic]) -> Node:
    """The document that `extends` names, over what it extends in turn."""

    def refuse(message: str, help: str) -> SpecError:
        return SpecError([Diagnostic("E017", message, link.span, help=help)])

    if not isinstance(link.value, str) or Path(link.value).suffix not in (".yaml", ".yml"):
        raise refuse("`extends` takes the path of a .yaml file", "such as `extends: base.yaml`")
    try:
        target, resolved = linked(link.value, path, chain[0])
    except LinkError as error:
        raise refuse(f"`extends` {error}", error.help) from error
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
    base = current(mapping(parse(text, str(target), "extends", via, found)))
    return extended(base, target, [*chain, resolved], found)


class LinkError(ValueError):
    """A file that a spec may not name; `help` says which it may."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def linked(name: str, path: Path, first: Path) -> tuple[Path, Path]:
    """The file that a spec names by its path from there, and where that really is.

    Args:
        path: of the file that names it.
        first: of the spec that leads there; nothing outside its folder, or repository, is read.

    Raises:
        LinkError: it leads elsewhere, or nowhere.
    """
    target = path.parent / name
    home = _home(first)
    try:
        resolved = target.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL in the name
        raise LinkError(f"names no file: {target}: {error}", "name another") from error
    if Path(name).is_absolute() or not resolved.is_relative_to(home):
        raise LinkError(
            f"leads out of the spec's folder: {name[:200]}",
            f"name a file below {home}, by a relative path; a spec in a git repository may name "
            "all of that",
        )
    return target, resolved


def _home(spec: Path) -> Path:
    """The folder that a spec's layers may lie in: its git repository or, without one, its own."""
    folder = spec.parent
    return next((p for p in (folder, *folder.parents) if (p / ".git").exists()), folder)


def override(text: str) -> Node:
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


def with_name(root: Node, path: Path) -> Node:
    """A spec without a name is called after its file."""
    if "name" in root.value:
        return root
    name = re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:64] or "agent"
    return replace(root, value={**root.value, "name": Node(name, origin="the file's name")})
