"""Diagnosis of a run folder: how its run ended, and what was unhealthy, likely causes first.

Nothing of the folder is imported or trusted. What is damaged is left out, and said.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.formats.documents import read_document
from ppoc.formats.folders import check_folder
from ppoc.formats.reading import FormatError
from ppoc.runtime.health import monitor as health
from ppoc.runtime.health.findings import Finding
from ppoc.runtime.health.monitor import Monitor
from ppoc.runtime.health.postmortem import dumps
from ppoc.runtime.health.settings import MANIFEST, Facts, read_facts
from ppoc.runtime.kinds import MODULES, kind_named
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records import evaluations
from ppoc.runtime.run.kind import RunKind


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
    facts = read_facts(folder, notes)
    kind, there = _kind(folder, facts)
    if there:
        return {
            stage: _diagnose(place, kind.monitor(stage, facts), [], unit=kind.unit(stage))
            for stage, place in there.items()
        }
    if not any((folder / name).exists() for name in ("module.py", "metrics.csv")):
        raise ValueError(f"{folder} is no run folder: it has neither module.py nor metrics.csv")
    stage = kind.stages[0]
    diagnosis = _diagnose(folder, kind.monitor(stage, facts), notes, kind.unit(stage))
    if not facts.settings:
        notes.append(f"{MANIFEST} does not say how the run is set, so no change is proposed")
    notes += _evaluations(folder)
    return diagnosis


def _kind(folder: Path, facts: Facts) -> tuple[RunKind, dict[str, Path]]:
    """The kind of a run, and its stages that have folders of their own there.

    Where nothing says the kind, it is the one whose stages are there.
    """
    kinds = [kind_named(facts.kind)] if facts.kind in MODULES else [*map(kind_named, MODULES)]
    for kind in kinds:
        places = {stage: kind.place(folder, stage) for stage in kind.stages}
        if there := {s: p for s, p in places.items() if p != folder and p.is_dir()}:
            return kind, there
    return kinds[0], {}


def _diagnose(
    folder: Path,
    monitor: Monitor,
    notes: list[str],
    unit: str,
) -> Diagnosis:
    first: dict[str, Finding] = {}
    for step, evaluation, row in health.history(folder, notes):
        for finding in (monitor.check_evaluation if evaluation else monitor.check)(step, row):
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


def _events(folder: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Divergences and what was done about them."""
    try:
        return [row for row in health.read(folder) if row.get("event") != "finding"]
    except FormatError as error:
        notes.append(str(error))
    except OSError as error:
        notes.append(f"{health.FILE} cannot be read: {error.strerror}")
    return []


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
