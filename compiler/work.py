"""The name of a piece of work: runs that have the same one are as fast as each other."""

import hashlib
import json
from typing import Any

from ppoc.compiler.front.spec import ResolvedSpec


def work_of(resolved: ResolvedSpec) -> str:
    """The kind of a run, its task, and a checksum of the values that its speed follows from.

    Rates of runs are kept by this name (ppoc.formats.rates).
    """
    kind = resolved.kind
    values = resolved.spec.model_dump(mode="json", by_alias=True)
    task = str(_at(values, kind.task)) if kind.task else ""
    text = json.dumps({key: _at(values, key) for key in kind.pace}, sort_keys=True)
    parts = [kind.name, *filter(None, [task]), hashlib.sha256(text.encode()).hexdigest()[:16]]
    return "/".join(parts)


def _at(values: Any, key: str) -> Any:
    for step in key.split("."):
        values = values.get(step) if isinstance(values, dict) else None
    return values
