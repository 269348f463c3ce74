"""A spec changed by a request: values replaced or added in its text, and nothing else touched."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.source import GREEK
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent.fields import field_table, is_whole
from ppoc.draft.kinds import KINDS
from ppoc.draft.spec.drafts import NothingToDraftError, Value
from ppoc.draft.spec.paths import values_of
from ppoc.draft.spec.write import scalar
from ppoc.draft.text.claims import GONE, Note, Reading, plain


@dataclass(frozen=True)
class Edited:
    """A changed spec, what changed, and what of the request did not."""

    before: str
    text: str
    values: list[Value]
    notes: list[Note]
    resolved: ResolvedSpec
    warnings: list[Diagnostic]

    def diff(self, name: str) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.text.splitlines(keepends=True),
            name,
            f"{name} (edited)",
        )
        return "".join(lines)


def edit(text: str, path: Path, reading: Reading) -> Edited:
    """The text of the spec at `path` with what a request claims in it.

    Raises:
        NothingToDraftError: the request changes nothing.
        SpecError: the spec was wrong before, or no part of the request can be had without an error.
    """
    known = values_of(resolve_text(text, str(path)))
    notes = list(reading.notes)
    claims = {c.path: c for c in reading.claims if c.path.partition(".")[0] not in ("ppoc", "lock")}
    changes: dict[str, Value] = {}
    for claim in claims.values():
        words = reading.words(claim.start, claim.end)
        if claim.path in known and known[claim.path] == claim.value:
            notes.append(Note("adapted", words, f"`{claim.path}` is {claim.value} already"))
        else:
            changes[claim.path] = Value(claim.path, claim.value, "request", words, plain(claim.how))
    if not changes and not any(note.kind == "run" for note in notes):
        raise NothingToDraftError(notes)
    changes = KINDS[reading.kind].fitted(changes, known, notes)
    changed, resolved, left = _applied(text, path, changes, notes)
    advice = KINDS[resolved.kind.name].advice(resolved)
    return Edited(text, changed, left, notes, resolved, [*resolved.warnings, *advice])


def _applied(
    text: str, path: Path, changes: dict[str, Value], notes: list[Note]
) -> tuple[str, ResolvedSpec, list[Value]]:
    """The text with all changes that the compiler takes; those that it refuses are noted."""
    try:
        changed, resolved = _checked(text, path, list(changes.values()))
    except SpecError as error:
        for out in changes:
            rest = [value for value in changes.values() if value.path != out]
            try:
                changed, resolved = _checked(text, path, rest)
            except SpecError:
                continue
            first = error.diagnostics[0]
            why = plain("; ".join(filter(None, (first.message, first.help))), 300)
            notes.append(Note("cannot", changes[out].words, f"left out `{out}`: {why}"))
            return changed, resolved, rest
        raise
    return changed, resolved, list(changes.values())


def _checked(text: str, path: Path, values: Sequence[Value]) -> tuple[str, ResolvedSpec]:
    steps = KINDS[resolve_text(text, str(path)).kind.name].steps
    for value in values:
        if value.value is GONE:
            text = remove_value(text, value.path)
        else:
            text = set_value(text, value.path, value.value, value.comment(), steps)
    resolved = resolve_text(text, str(path))
    KINDS[resolved.kind.name].advice(resolved)  # raises where the environment is not as it says
    return text, resolved


def set_value(
    text: str,
    path: str,
    value: Any,
    comment: str = "",
    steps: Callable[[str], list[str]] = lambda path: path.split("."),
) -> str:
    """A YAML text with the value at a dotted path replaced, or added where it is not there yet.

    Comments stay, but for a draft's own on where the value came from, which `comment` replaces.

    Args:
        steps: the keys that a path is made of, where they are not there yet.
    """
    pairs, node, rest = _walked(text, path)
    keys = _keys(steps(path), rest)
    if keys and _kind(node) == "MappingNode":
        return _added(text, node, keys, value, path)
    if not pairs:
        return text
    key = pairs[-1][1]
    new = _nested(keys, value, path)
    if _kind(node) == "ScalarNode" and node.end_mark.index > node.start_mark.index:
        start, end = node.start_mark.index, node.end_mark.index
        return text[:start] + new + _recommented(text[end:], comment, len(new) - (end - start))
    start = text.index(":", key.end_mark.index) + 1
    end = _end(text, node, start)
    longer = len(new) + 1 - (end - start)
    return f"{text[:start]} {new}{_recommented(text[end:], comment, longer)}"


def _keys(steps: list[str], rest: str) -> list[str]:
    """The last keys of a path, of which `rest` is not there yet."""
    for at in range(len(steps)):
        if ".".join(steps[at:]) == rest:
            return steps[at:]
    return rest.split(".") if rest else []


def _walked(text: str, path: str) -> tuple[list[tuple[Any, Any, Any]], Any, str]:
    """The nodes on the way to a path: mapping, key and value of each; the last; what is left of it.

    A key of a mapping may be several steps of the path, as `optimizer.actor.lr` in a grid.
    """
    from ruamel.yaml import YAML

    node, rest = YAML(typ="safe", pure=True).compose(text), path
    pairs: list[tuple[Any, Any, Any]] = []
    while rest and _kind(node) == "MappingNode":
        found = [
            (name, key, value)
            for key, value in node.value
            if rest == (name := _name(key)) or rest.startswith(f"{name}.")
        ]
        if not found:
            break
        name, key, value = max(found, key=lambda pair: len(pair[0]))
        pairs.append((node, key, value))
        node, rest = value, rest[len(name) + 1 :]
    return pairs, node, rest


def _name(key: Any) -> str:
    return ".".join(GREEK.get(step, step) for step in str(key.value).split("."))


def remove_value(text: str, path: str) -> str:
    """A YAML text without the entry at a dotted path; what stays empty is `{}`."""
    pairs, _, rest = _walked(text, path)
    if rest or not pairs:
        return text
    mapping, key, value = pairs[-1]
    at = next(i for i, pair in enumerate(mapping.value) if pair[0] is key)
    if len(mapping.value) == 1 and len(pairs) > 1:
        return set_value(text, path.rpartition(f".{_name(key)}")[0], {})
    end = _end(text, value, key.end_mark.index)
    if mapping.flow_style:
        if at + 1 < len(mapping.value):
            return text[: key.start_mark.index] + text[mapping.value[at + 1][0].start_mark.index :]
        before = _end(text, mapping.value[at - 1][1], mapping.value[at - 1][0].end_mark.index)
        return text[:before] + text[end:]
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    line_end = text.find("\n", end)
    return text[:start] + (text[line_end + 1 :] if line_end >= 0 else "")


def _recommented(rest: str, comment: str, longer: int) -> str:
    """The text after a value, with a draft's comment on the same line replaced, at its column."""
    own = re.match(r"""( +)# ("|default: )[^\n]*""", rest)
    if own is None or not comment:
        return rest
    return f"{' ' * max(1, len(own[1]) - longer)}# {comment}{rest[own.end() :]}"


def _kind(node: Any) -> str:
    return type(node).__name__


def _nested(steps: Sequence[str], value: Any, path: str) -> str:
    """`{b: {c: value}}` for steps b, c."""
    whole = path in field_table() and is_whole(path)
    exact = int(value) if isinstance(value, float) and whole else value
    text = scalar(exact)
    for step in reversed(steps):
        text = f"{{{step}: {text}}}"
    return text


def _added(text: str, mapping: Any, steps: Sequence[str], value: Any, path: str) -> str:
    entry = f"{steps[0]}: {_nested(steps[1:], value, path)}"
    if mapping.flow_style:
        close = mapping.end_mark.index - 1
        inner = text[:close].rstrip()
        comma = "" if inner.endswith(("{", ",")) else ","
        space = "" if inner.endswith("{") else " "
        return f"{inner}{comma}{space}{entry}{text[close:]}"
    last = _end(text, mapping, mapping.start_mark.index)
    line_end = text.find("\n", last)
    line_end = len(text) if line_end < 0 else line_end
    indent = " " * mapping.value[0][0].start_mark.column
    return f"{text[:line_end]}\n{indent}{entry}{text[line_end:]}"


def _end(text: str, node: Any, start: int) -> int:
    """Where the content of a node ends; a block's own mark is at whatever comes after it."""
    if _kind(node) == "ScalarNode" or node.flow_style:
        return max(start, int(node.end_mark.index))
    if not node.value:
        return start
    last = node.value[-1]
    return _end(text, last[1] if isinstance(last, tuple) else last, start)
