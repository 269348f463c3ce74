"""The lock: a spec with every value written out, where each came from, and the versions used."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.front.merge import LOCK
from ppoc.compiler.front.scalars import plain_scalar
from ppoc.compiler.front.spec import Document

FLAT = {
    ("env", "options"),
    ("losses", "policy", "parameters"),
    ("losses", "value", "parameters"),
    ("ppo", "losses", "policy", "parameters"),
    ("ppo", "losses", "value", "parameters"),
    ("model", "tokenizer"),
}  # mappings of a user's own keys


def lock_text(resolved: Resolved, plan: Plan, versions: Mapping[str, str]) -> str:
    """The text of spec.lock.yaml.

    A lock is a spec: compiling it gives the module that compiling its source gave. A lock without
    overrides is its own lock, byte for byte.
    """
    if resolved.is_lock and not resolved.overridden:
        return resolved.source_text
    data = plan.spec.model_dump(mode="json", by_alias=True, exclude={"lock"})
    data["env"]["backend"] = plan.facts.backend
    probed = {("env", "backend")} if resolved.spec.env.backend == "auto" else set()
    return lock_of(data, resolved, versions, probed, plan.facts.code_folders)


def lock_of(
    data: Mapping[str, Any],
    resolved: Document,
    versions: Mapping[str, str],
    probed: Collection[tuple[str, ...]] = (),
    code_folders: Sequence[str] = (),
) -> str:
    """The text of a lock with the values of `data`; those at the paths `probed` were looked up.

    Code that the spec names was found in `code_folders`.
    """
    head = "# Written by `ppoc compile`: every value of the spec, and where it came from.\n"
    lock: dict[str, Any] = {"format": LOCK.version, "versions": dict(sorted(versions.items()))}
    if code_folders:
        lock["code_folders"] = list(code_folders)
    lines = [*_lines(data, resolved, probed), *_lines({"lock": lock}, None, ())]
    return head + "\n".join(lines) + "\n"


def _lines(
    value: Mapping[str, Any],
    resolved: Document | None,
    probed: Collection[tuple[str, ...]],
    path: tuple[str, ...] = (),
) -> Iterator[str]:
    pad = "  " * len(path)
    for key, item in value.items():
        here = (*path, key)
        if isinstance(item, Mapping) and here not in FLAT:
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


def _origin(resolved: Document, path: tuple[str, ...], probed: Collection[tuple[str, ...]]) -> str:
    if path in probed:
        return "probed"
    label = resolved.origin(path).label()
    return label.encode("unicode_escape").decode()  # a flag's text may hold anything
