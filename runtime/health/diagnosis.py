"""Diagnosis of a run folder: how its run ended, and what was unhealthy, likely causes first.

Nothing of the folder is imported or trusted. What is damaged is left out, and said.
"""

import ast
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats.documents import read_document
from ppoc.formats.folders import check_folder
from ppoc.formats.reading import FormatError, read_regular
from ppoc.runtime.health import monitor as health
from ppoc.runtime.health.findings import Finding
from ppoc.runtime.health.monitor import Monitor
from ppoc.runtime.health.postmortem import dumps
from ppoc.runtime.health.trend import Trend
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records import evaluations

LARGEST_MODULE = 2**20
STAGES = ("sft", "reward", "ppo")


class Diagnosis(NamedTuple):
    """The known facts of a run, and its symptoms."""

    folder: Path
    state: str
    """How the run ended or how far it is, in words."""
    steps: int
    total_steps: int | None
    checkpoint: Path | None
    """The last good one."""
    findings: list[Finding]
    """Likely causes first, each symptom once."""
    events: list[dict[str, Any]]
    """Divergences and what was done about them, from health.jsonl."""
    dumps: list[Path]
    """Folders of offending minibatches."""
    notes: list[str]
    """What could not be read, and what else is worth knowing."""


def diagnose(folder: Path) -> Diagnosis | dict[str, Diagnosis]:
    """Read a run folder, finished, running or broken; a language model's by the stages it came to.

    Raises:
        ValueError: it is no run folder: there is neither a module nor a metrics.csv in it, or
            things that no run makes, such as links that lead elsewhere.
        OSError: a folder in it cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no run folder: there is no such folder")
    check_folder(folder)
    notes: list[str] = []
    constants = read_constants(folder / "module.py", notes)
    if constants is not None and constants.get("KIND") == "rlhf":
        there = [stage for stage in STAGES if (folder / stage).is_dir()]
        if there:
            return {stage: _diagnose_stage(folder / stage, constants) for stage in there}
    if constants is None and not (folder / "metrics.csv").exists():
        raise ValueError(f"{folder} is no run folder: it has neither module.py nor metrics.csv")
    known = constants or {}
    diagnosis = _diagnose(folder, Monitor(Trend(known)), notes, known)
    notes += _evaluations(folder)
    return diagnosis


def _diagnose_stage(folder: Path, constants: dict[str, Any]) -> Diagnosis:
    from ppoc.runtime.rlhf.stage import UNITS
    from ppoc.runtime.rlhf.symptoms import monitor

    return _diagnose(folder, monitor(folder.name, constants), [], unit=UNITS[folder.name])


def _diagnose(
    folder: Path,
    monitor: Monitor,
    notes: list[str],
    constants: dict[str, Any] | None = None,
    unit: str = "steps",
) -> Diagnosis:
    first: dict[str, Finding] = {}
    for step, evaluation, row in health.history(folder, notes):
        if evaluation:
            found = monitor.check_evaluation(step, row)
        else:
            found = monitor.check(step, _with_rewards(row, constants or {}))
        for finding in found:
            first.setdefault(finding.symptom, finding)
    events = _events(folder, notes)
    total = monitor.trend.total or None
    return Diagnosis(
        folder,
        _state(folder, monitor, total, events, unit, notes),
        monitor.trend.step,
        total,
        checkpoints.newest_good(folder / "checkpoints"),
        sorted(first.values(), key=lambda finding: monitor.rank[finding.symptom]),
        events,
        dumps(folder),
        notes,
    )


def read_constants(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """The constants of a generated module, without importing it; None where it cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(read_regular(path, LARGEST_MODULE).decode())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return None
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                constants[node.targets[0].id] = ast.literal_eval(node.value)
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                continue
    names = (getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree))
    constants["_scales_rewards"] = "scale_rewards" in names
    return constants


def _events(folder: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Divergences and what was done about them."""
    try:
        return [row for row in health.read(folder) if row.get("event") != "finding"]
    except FormatError as error:
        notes.append(str(error))
    except OSError as error:
        notes.append(f"{health.FILE} cannot be read: {error.strerror}")
    return []


def _with_rewards(row: dict[str, float], constants: dict[str, Any]) -> dict[str, float]:
    """A row of a run that did not measure its rewards yet: their mean instead of the largest."""
    length = row.get("episode_length", 0.0)
    if "largest_reward" in row or constants.get("_scales_rewards", True) or not length > 0:
        return row
    return {**row, "largest_reward": abs(row.get("episode_return", 0.0)) / length}


def _state(
    folder: Path,
    monitor: Monitor,
    total: int | None,
    events: list[dict[str, Any]],
    unit: str,
    notes: list[str],
) -> str:
    reached = f"{monitor.trend.step:,}" + (f" of {total:,}" if total else "") + f" {unit}"
    if _is_running(folder / "run.lock"):
        return f"running, at {reached}"
    result = _result(folder / "result.json", notes)
    if result.get("finished") is True:
        return f"finished after {reached}"
    diverged = [row for row in events if row.get("event") == "divergence"]
    if diverged and diverged[-1].get("step") == monitor.trend.step:
        return f"stopped at {reached}, because it diverged"
    if result:
        return f"stopped by a signal at {reached}"
    if (folder / "error.txt").exists():
        return f"failed after {reached} (error.txt has the traceback)"
    return f"ended without a result, after {reached}"


def _result(path: Path, notes: list[str]) -> dict[str, Any]:
    try:
        return read_document(path)
    except FileNotFoundError:
        return {}
    except (OSError, FormatError) as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return {}


def _is_running(lock: Path) -> bool:
    """Whether a process holds a lock file, as far as Linux says; other systems do not."""
    try:
        inode = lock.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="utf-8")
    except OSError:
        return False
    held = (line.split() for line in locks.splitlines() if "FLOCK" in line)
    return any(field.split(":")[2:] == [str(inode)] for fields in held for field in fields)


def _evaluations(folder: Path) -> list[str]:
    """A note where a later evaluation was much worse than an earlier one."""
    rows = [
        (row["mean"], steps, row["std"])
        for steps, row in evaluations.read(folder, [])
        if math.isfinite(row.get("mean", math.nan)) and math.isfinite(row.get("std", math.nan))
    ]
    if len(rows) > 1:
        best, last = max(rows), rows[-1]
        if last[0] < best[0] - max(2 * best[2], 0.2 * abs(best[0])):
            return [
                f"the evaluation at step {best[1]:,} had a mean return of {best[0]:.4g}, the last "
                f"one {last[0]:.4g}: the policy got worse"
            ]
    return []
