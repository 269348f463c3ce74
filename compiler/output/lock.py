"""The lock: a spec with every value written out, where each came from, and the versions used."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ppoc.compiler.front.merge import LOCK
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.scalars import plain_scalar
from ppoc.compiler.front.spec import ResolvedSpec

FLAT = {
    ("env", "options"),
    ("losses", "policy", "parameters"),
    ("losses", "value", "parameters"),
    ("ppo", "losses", "policy", "parameters"),
    ("ppo", "losses", "value", "parameters"),
    ("model", "tokenizer"),
}  # mappings of a user's own keys


def lock_text(resolved: ResolvedSpec, program: Program) -> str:
    """The text of spec.lock.yaml.

    A lock is a spec: compiling it gives the module that compiling its source gave. A lock without
    overrides is its own lock, byte for byte.
    """
    if resolved.is_lock and not resolved.overridden:
        return resolved.source_text
    head = "# Written by `ppoc compile`: every value of the spec, and where it came from.\n"
    versions = dict(sorted(program.versions.items()))
    lock: dict[str, Any] = {"format": LOCK.version, "versions": versions}
    if program.code_folders:
        lock["code_folders"] = list(program.code_folders)
    lines = [*_lines(program.values, resolved, program.probed), *_lines({"lock": lock}, None, ())]
    return head + "\n".join(lines) + "\n"


def _lines(
    value: Mapping[str, Any],
    resolved: ResolvedSpec | None,
    probed: Collection[tuple[str, ...]],
    path: tuple[str, ...] = (),
) -> Iterator[str]:
    pad = "  " * len(path)
    for key, item in value.items():
        here = (*path, key)
        if isinstance(item, Mapping) and item and here not in FLAT:
            yield f"{pad}{key}:"
            yield from _lines(item, resolved, probed, here)
        else:
            line = f"{pad}{key}: {_scalar(item)}"
            yield f"{line}  # {_origin(resolved, here, probed)}" if resolved else line


def _scalar(value: Any) -> str:
    """A value as YAML that reads back as itself; JSON is YAML."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*", value, re.ASCII):
        return value if plain_scalar(value) == value else json.dumps(value)
    return json.dumps(value)


def _origin(
    resolved: ResolvedSpec, path: tuple[str, ...], probed: Collection[tuple[str, ...]]
) -> str:
    if path in probed:
        return "probed"
    label = resolved.origin(path).label()
    return label.encode("unicode_escape").decode()  # a flag's text may hold anything
