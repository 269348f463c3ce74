"""The lock of a spec of `kind: rlhf`: every value, its origin, and where its files are."""

from collections.abc import Mapping
from typing import Any

from ppoc.compiler.output.lock import lock_of
from ppoc.compiler.rlhf.resolved import RlhfResolved


def lock_text(
    resolved: RlhfResolved, versions: Mapping[str, str], copies: Mapping[str, str]
) -> str:
    """The text of spec.lock.yaml.

    Names of files are absolute, for a lock lies elsewhere, but for those of `copies`: keys of
    `data` whose files are copied beside it, and where. A lock without overrides is its own lock,
    byte for byte.
    """
    if resolved.is_lock and not resolved.overridden:
        return resolved.source_text
    data: dict[str, Any] = resolved.spec.model_dump(mode="json", by_alias=True, exclude={"lock"})
    for path in resolved.files():
        section = data
        for step in path[:-1]:
            section = section[step]
        section[path[-1]] = str(resolved.file(*path))
    data["data"] |= copies
    return lock_of(data, resolved, versions)
