"""Surroundings that the bits of a run depend on besides its module: versions, device, threads."""

import contextlib
import functools
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ppoc.formats.text import is_printable

# The names that packages are imported under, and those that they are installed under.
PACKAGES = {
    "torch": ("torch",),
    "numpy": ("numpy",),
    "gymnasium": ("gymnasium",),
    "envpool": ("envpool",),
    "mujoco": ("mujoco",),
    "ale_py": ("ale-py",),
    "Box2D": ("box2d", "box2d-py"),
    "ppoc": ("ppoc",),  # which an ejected module does without
}


def surroundings(device: torch.device) -> dict[str, str]:
    """The versions of what is installed, and what this machine computes with, by name.

    Not of what is imported, which differs between a process that compiled the module and one that
    goes on with its run.
    """
    found = {"python": platform.python_version(), "processor": _processor()}
    found |= _versions()
    found["instructions"] = torch.backends.cpu.get_cpu_capability()
    found["threads"] = str(torch.get_num_threads())
    found["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return found


@functools.cache  # a look at each takes a millisecond
def _versions() -> dict[str, str]:
    found = {}
    for name, distributions in PACKAGES.items():
        for distribution in distributions:
            with contextlib.suppress(PackageNotFoundError):
                found[name] = version(distribution)
    return found


def changes(before: Any, now: Mapping[str, str]) -> list[str]:
    """Differences between the `surroundings` that a checkpoint tells and these, a text each.

    Packages that this process does not import do not matter to its run.
    """
    if not isinstance(before, Mapping):
        return []
    return [
        f"{name} {_said(before[name])}, now {now.get(name, 'not installed')}"
        for name in dict.fromkeys((*now, *PACKAGES))
        if name in before and before[name] != now.get(name) and _matters(name)
    ]


def warning(before: Any, now: Mapping[str, str]) -> str:
    """The words for such differences, where there are any."""
    if not (found := changes(before, now)):
        return ""
    return (
        "other surroundings than when this run was stopped, so it goes on, but perhaps not with "
        "the bits of an uninterrupted one: " + "; ".join(found)
    )


def _matters(name: str) -> bool:
    return name not in PACKAGES or name == "ppoc" or name in sys.modules


def _said(value: Any) -> str:
    """A text of a checkpoint, which is anybody's, as it may stand in a terminal."""
    return value[:80] if isinstance(value, str) and is_printable(value) else "unreadable"


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
