"""Settings of ordinary runs: what differs between their locks, besides task and seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.source import parse
from ppoc.formats.reading import FormatError, read_regular

MAX_LOCK = 1_000_000  # bytes
MOST_KEYS = 3  # by which a setting is called; beyond, by the name of its spec
# Neither the task nor the seed, and what changes nothing that is learnt.
IGNORED = ("ppoc", "name", "lock", "env.id", "env.threads", "training.seed", "training.device")


class Lock(NamedTuple):
    """A lock: the name of its spec, its task and seed, and all else as path → value."""

    name: str
    task: str
    seed: int | None
    values: Mapping[str, str]


def read_lock(path: Path) -> Lock:
    """The lock of a run folder.

    Raises:
        OSError, FormatError: it cannot be read.
    """
    try:
        text = read_regular(path, MAX_LOCK).decode("utf-8")
        plain = parse(text, path.name).plain()
    except UnicodeDecodeError:
        raise FormatError("it is not UTF-8") from None
    except SpecError as error:
        raise FormatError(error.diagnostics[0].message) from None
    if not isinstance(plain, dict):
        raise FormatError("it is no mapping")
    leaves = dict(_leaves(plain))
    seed = leaves.get("training.seed", leaves.get("seed"))
    values = {
        key: str(value)
        for key, value in leaves.items()
        if not any(key == name or key.startswith(f"{name}.") for name in IGNORED)
    }
    return Lock(
        str(leaves.get("name", "")),
        str(leaves.get("env.id", "")),
        seed if type(seed) is int else None,
        values,
    )


def labels(locks: Sequence[Lock]) -> list[str]:
    """A setting's name for each lock; locks that differ in nothing but task and seed share one.

    It says the values that differ where these are few, as in `lr=0.001`, else the spec's name.
    """
    keys = list(dict.fromkeys(key for lock in locks for key in lock.values))
    columns: dict[tuple[str | None, ...], str] = {}  # of keys that always change together, one
    for key in keys:
        columns.setdefault(tuple(lock.values.get(key) for lock in locks), key)
    differing = [key for values, key in columns.items() if len(set(values)) > 1]
    if not differing:
        return [_named(lock) for lock in locks]
    if len(differing) <= MOST_KEYS:
        short = _short(differing)
        return [
            ", ".join(f"{short[key]}={lock.values.get(key, 'absent')}" for key in differing)
            for lock in locks
        ]
    return _numbered(locks, differing)


def _numbered(locks: Sequence[Lock], differing: Sequence[str]) -> list[str]:
    """The specs' names; those of one name and task that differ all the same get a number."""
    numbers: dict[tuple[str, str], list[tuple[str | None, ...]]] = {}
    found = []
    for lock in locks:
        values = tuple(lock.values.get(key) for key in differing)
        known = numbers.setdefault((_named(lock), lock.task), [])
        if values not in known:
            known.append(values)
        number = known.index(values) + 1
        found.append(_named(lock) if number == 1 else f"{_named(lock)} ({number})")
    return found


def _named(lock: Lock) -> str:
    """The spec's name without the task, which runs of several tasks have in it."""
    name = lock.name
    if lock.task:
        for mark in ("-", "_"):
            name = name.removesuffix(f"{mark}{lock.task}").removeprefix(f"{lock.task}{mark}")
    return name or "unnamed"


def _short(keys: Sequence[str]) -> dict[str, str]:
    """The last component of each key, or more of them where that is that of several."""
    found = {}
    for key in keys:
        parts = key.split(".")
        for count in range(1, len(parts) + 1):
            tail = ".".join(parts[-count:])
            if sum(other == tail or other.endswith(f".{tail}") for other in keys) == 1:
                break
        found[key] = tail
    return found


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [
        leaf
        for key, item in value.items()
        for leaf in _leaves(item, f"{path}.{key}" if path else str(key))
    ]
