"""Findings of what is unhealthy in a run, and changes to make."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ppoc.runtime.health.settings import Settings


class Change(NamedTuple):
    """A value of the spec that is worth another try."""

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.path}: {_text(self.old)} → {_text(self.new)} (-s {self.option})"

    @property
    def option(self) -> str:
        """The change as the option `-s` takes it."""
        return f"{self.path}={_text(self.new)}"


def adjusted(settings: Settings, path: str, new: Callable[[Any], Any]) -> list[Change]:
    """The change of a value that a run has; none where it has none, or where it is right already.

    Args:
        new: from the value that it has to the one to try.
    """
    if path not in settings:
        return []
    old = settings[path]
    changed = new(old)
    return [Change(path, old, changed)] if changed != old else []


def introduced(settings: Settings, path: str, new: Any, *, unset: Any = "null") -> list[Change]:
    """The change of a value that a run lacks, for which its spec says `unset`."""
    return [] if path in settings else [Change(path, unset, new)]


class Finding(NamedTuple):
    """A symptom that a run shows, with what it was seen by and what to try."""

    symptom: str
    step: int
    metric: str
    value: float
    text: str
    cause: str
    changes: tuple[Change, ...]
    source: str
    since: int
    """The first of the iterations in a row that showed it, at `step` the last of them."""

    def document(self) -> dict[str, Any]:
        """The finding as JSON can hold it."""
        changes = [{"path": x.path, "from": x.old, "to": x.new} for x in self.changes]
        value = self.value if math.isfinite(self.value) else str(self.value)
        return {**self._asdict(), "value": value, "changes": changes}

    def line(self) -> str:
        """The finding for someone who watches the run."""
        tries = f"; try {self.changes[0]}" if self.changes else ""
        return f"unhealthy at step {self.step:,}: {self.text} [{self.symptom}]{tries}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
