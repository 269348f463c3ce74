"""What the bits of a run depend on besides its module: versions, device, threads."""

import contextlib
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ppoc.formats.text import is_printable

# By the names that they are imported under; those that a run does not import do not matter to it.
PACKAGES = ("torch", "numpy", "gymnasium", "envpool", "mujoco", "ale_py", "Box2D")


def surroundings(device: torch.device) -> dict[str, str]:
    """The versions of what is imported, and what this machine computes with, by name."""
    found = {"python": platform.python_version(), "processor": _processor()}
    for name in PACKAGES:
        if name in sys.modules:
            found[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    with contextlib.suppress(PackageNotFoundError):  # an ejected module's ppoc
        found["ppoc"] = version("ppoc")
    found["instructions"] = torch.backends.cpu.get_cpu_capability()
    found["threads"] = str(torch.get_num_threads())
    found["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return found


def changes(before: Any, now: Mapping[str, str]) -> list[str]:
    """What differs between the `surroundings` that a checkpoint tells and these, a text each."""
    if not isinstance(before, Mapping):
        return []
    return [
        f"{name} {_said(before[name])}, now {now.get(name, 'not used')}"
        for name in (*now, *PACKAGES)
        if name in before and before[name] != now.get(name)
    ]


def _said(value: Any) -> str:
    """A text of a checkpoint, which is anybody's, as it may stand in a terminal."""
    return value[:80] if isinstance(value, str) and is_printable(value) else "unreadable"


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
