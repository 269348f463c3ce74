"""This machine as far as it is for us: cores, memory and GPUs within the limits of containers."""

import os
import re
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
DEVICES = Path("/dev")


def cores() -> int:
    """Cores that this process may keep busy."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        count = os.cpu_count() or 1
    quota = _quota()
    return max(1, count if quota is None else min(count, int(quota)))


def _quota() -> float | None:
    """Cores that a container lets its processes have in all; None where nothing limits them."""
    try:
        limit, period = (CGROUP / "cpu.max").read_text().split()  # version 2
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:  # version 1
        limit, period = (
            (CGROUP / "cpu" / f"cpu.cfs_{x}_us").read_text() for x in ("quota", "period")
        )
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def free_memory() -> int | None:
    """Bytes that processes could take besides those they have; None where nobody says."""
    found = [x for x in (_of_system(), _of_container()) if x is not None]
    return min(found, default=None)


def _of_system() -> int | None:
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def _of_container() -> int | None:
    for limit, used, idle in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((CGROUP / limit).read_text())  # "max" where there is none
            taken = int((CGROUP / used).read_text())
            stat = (CGROUP / used).with_name("memory.stat").read_text()
        except (OSError, ValueError):
            continue
        # Files that were read count as used until somebody needs the room.
        match = re.search(rf"^{idle} (\d+)$", stat, re.M)
        return max(0, most - taken + (int(match[1]) if match else 0))
    return None


def memory_of(process: int) -> int:
    """Bytes in memory of a process and all that it started; 0 where nobody says."""
    total, ahead = 0, [process]
    while ahead:
        root = Path(f"/proc/{ahead.pop()}")
        try:
            pages = int((root / "statm").read_text().split()[1])
            ahead += [
                int(child)
                for task in (root / "task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except (OSError, ValueError, IndexError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def gpus() -> list[str]:
    """Names of the GPUs that are for us, as CUDA_VISIBLE_DEVICES takes them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for part in chosen.split(",") if (name := part.strip()) not in ("", "-1")]
    found = (re.fullmatch(r"nvidia(\d+)", path.name) for path in DEVICES.glob("nvidia[0-9]*"))
    return sorted((match[1] for match in found if match), key=int)
