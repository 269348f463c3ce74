"""The text of a drafted spec: values in the order of the language, each with a comment."""

import json
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ppoc.draft.spec.drafts import Value
from ppoc.draft.text.claims import Note, plain

COLUMN = 34  # of the comments
SECTIONS = {
    "cannot": "Asked for, and not in this spec:",
    "question": "To be decided by you:",
    "adapted": "Asked for, and adapted:",
    "run": "Several runs:",
}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def scalar(value: Any) -> str:
    """A value as YAML."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return re.sub(r"e-0*", "e-", repr(value))
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {scalar(item)}" for key, item in value.items()) + "}"
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def spec(
    request: str,
    values: "Mapping[str, Value]",
    notes: Sequence[Note],
    order: Sequence[str],
    steps: Callable[[str], list[str]] = lambda path: path.split("."),
) -> str:
    """The whole text; `values` by dotted path, in the `order` of a language.

    Args:
        steps: the keys that a path is made of.
    """
    paths = sorted(values, key=lambda path: (_rank(order, path), path))
    lines: list[str] = [*_header(request, notes)] if request else []
    above: list[str] = []
    for path in paths:
        *sections, key = steps(path)
        common = _common(above, sections)
        lines += [f"{'  ' * i}{sections[i]}:" for i in range(common, len(sections))]
        above = sections
        line = f"{'  ' * len(sections)}{key}: {scalar(values[path].value)}"
        lines.append(f"{line:<{COLUMN}} # {values[path].comment()}")
    return "\n".join(lines) + "\n"


def _rank(order: Sequence[str], path: str) -> int:
    while path and path not in order:
        path = path.rpartition(".")[0]
    return order.index(path) if path else len(order)


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count


def _header(request: str, notes: Sequence[Note]) -> list[str]:
    """The request, and what of it the spec does not say; quoted, so that it directs nothing."""
    lines = ["# Drafted by `ppoc draft` from the request:"]
    lines += [f"#  | {line}" for line in textwrap.wrap(plain(request, 1000), 92)]
    for kind, title in SECTIONS.items():
        own = [note for note in notes if note.kind == kind]
        if own:
            lines.append(f"# {title}")
        for note in own:
            lines += textwrap.wrap(
                told(note), 96, initial_indent="#  - ", subsequent_indent="#    "
            )
    return lines


def told(note: Note) -> str:
    """A note in one line."""
    if note.kind == "run":
        return plain(note.text, 300)
    return f'"{note.words}": {plain(note.text, 400)}' if note.words else plain(note.text, 400)


def path_at(text: str, number: int) -> str | None:
    """The dotted path of a line of a spec that `spec` wrote."""
    lines = text.split("\n")
    path: list[str] = []
    indent = None
    for line in reversed(lines[:number]):
        found = re.match(r"( *)([A-Za-z_]\w*):", line)
        if found and (indent is None or len(found[1]) < indent):
            indent = len(found[1])
            path.insert(0, found[2])
    return ".".join(path) or None
