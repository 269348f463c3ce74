"""The facts of a run by which its metrics are judged, which may be anybody's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from ppoc.formats.documents import read_document
from ppoc.formats.reading import FormatError
from ppoc.runtime.interface import AgentInterface, Interface

MANIFEST = "manifest.json"
LARGEST = 1e15
SIGNED = ("ppo.rewards.missing_end",)  # of the numbers, those that may be negative
WORDS = ("model.config.architecture", "networks.actor.action_scaling")  # whose values are words
MOST = 500  # settings of a run
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,5}", re.ASCII)
WORD = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Facts of a run that are known before it begins."""

    kind: str | None = None
    settings: Settings = field(default_factory=dict)
    """Key of the spec → its value; none where nobody knows."""
    total_steps: Mapping[str, int] = field(default_factory=dict)
    """Stage → its steps, of those whose steps are known."""
    action_components: int = 0
    """Of a continuous action; 0 for a choice."""


def facts_of(interface: Interface) -> Facts:
    """The facts that a module declares, without what no spec holds."""
    components = interface.action_components if isinstance(interface, AgentInterface) else 0
    return Facts(interface.kind, usable(interface.settings), interface.total_steps, components)


def read_facts(folder: Path, notes: list[str]) -> Facts:
    """The facts in a folder's manifest; none of what it lacks, as one of an earlier version does.

    Args:
        notes: is told why a manifest cannot be read.
    """
    try:
        manifest = read_document(folder / MANIFEST)
    except FileNotFoundError:
        return Facts()
    except (OSError, FormatError) as error:
        notes.append(f"{MANIFEST} cannot be read: {error}")
        return Facts()
    kind, steps = manifest.get("kind"), manifest.get("total_steps")
    total = steps if isinstance(steps, dict) else {}
    components = manifest.get("action_components")
    return Facts(
        kind if isinstance(kind, str) else None,
        usable(manifest.get("settings")),
        {stage: number for stage, number in total.items() if _is_count(number)},
        components if _is_count(components) else 0,
    )


def usable(settings: Any) -> dict[str, Any]:
    """Settings without those that no spec has: of other types, or out of range."""
    if not isinstance(settings, Mapping) or len(settings) > MOST:
        return {}
    return {
        key: value
        for key, value in settings.items()
        if isinstance(key, str) and len(key) <= 80 and KEY.fullmatch(key) and _fits(key, value)
    }


def _fits(key: str, value: Any) -> bool:
    if key in WORDS:
        return isinstance(value, str) and WORD.fullmatch(value) is not None
    if type(value) not in (bool, int, float):
        return False
    return bool((-LARGEST if key in SIGNED else 0) <= value < LARGEST)


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < LARGEST
