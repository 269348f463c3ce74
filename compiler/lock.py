"""The lock: a spec with every value written out, where each came from, and the versions used."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from ppoc.compiler.plan import Plan
from ppoc.compiler.resolve import Resolved

FORMAT = 1


def lock_text(resolved: Resolved, plan: Plan, versions: Mapping[str, str]) -> str:
    """The text of spec.lock.yaml.

    A lock is a spec: compiling it gives the module that compiling its source gave. A lock without
    overrides is its own lock, byte for byte.
    """
    if resolved.is_lock and not resolved.overridden:
        return resolved.source_text
    data = plan.spec.model_dump(mode="json", by_alias=True)
    data.pop("lock", None)
    data["env"]["backend"] = plan.facts.backend
    data["lock"] = {"format": FORMAT, "versions": dict(sorted(versions.items()))}
    buffer = io.StringIO()
    buffer.write("# Written by `ppoc compile`: every value of the spec, and where it came from.\n")
    yaml = YAML()
    yaml.width = 100
    yaml.dump(_commented(data, resolved, plan, ()), buffer)
    return buffer.getvalue()


def _commented(
    value: Mapping[str, Any], resolved: Resolved, plan: Plan, path: tuple[str, ...]
) -> CommentedMap:
    node = CommentedMap()
    for key, item in value.items():
        here = (*path, key)
        if isinstance(item, Mapping) and item:
            node[key] = _commented(item, resolved, plan, here)
            continue
        node[key] = _flow(item)
        origin = _origin(resolved, here)
        if origin:
            node.yaml_add_eol_comment(origin, key)
    return node


def _flow(item: Any) -> Any:
    if isinstance(item, list):
        sequence = CommentedSeq(item)
        sequence.fa.set_flow_style()
        return sequence
    return item


def _origin(resolved: Resolved, path: tuple[str, ...]) -> str:
    if path == ("env", "backend") and resolved.spec.env.backend == "auto":
        return "probed"
    origin = resolved.origins.get(path)
    return origin.label() if origin else ""
