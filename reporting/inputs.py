"""Runs of whatever is given to be compared: experiments, run folders, CSV files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ppoc.formats import experiment
from ppoc.formats.experiment import ExperimentRecord
from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable
from ppoc.reporting.csv_files import is_monitor, read_csv, read_monitors
from ppoc.reporting.folders import LOCK, experiment_runs, is_experiment, is_run, read_run
from ppoc.reporting.locks import Lock, labels, read_lock
from ppoc.reporting.run import FINISHED, Run

TABLES = ("progress.csv", "*monitor.csv", "progress.txt")


@dataclass
class Given:
    """All that was found: the runs, the record of the experiment if one was given, and notes.

    Attributes:
        notes: what was left out, and why.
        others: whether scores of other libraries, which are returns of training, are among them.
    """

    runs: list[Run] = field(default_factory=list)
    record: ExperimentRecord | None = None
    notes: list[str] = field(default_factory=list)
    others: bool = False


def read(paths: Sequence[Path], columns: Mapping[str, str] | None = None) -> Given:
    """The runs at some paths, in their order; what is no run is said in the notes.

    Args:
        columns: of CSV files, by what they hold (`csv_names.COLUMNS`).
    """
    given = Given()
    folders: list[tuple[Path, Run, Lock]] = []
    monitors: dict[Path, list[Path]] = {}
    for path in _distinct(paths, given.notes):
        try:
            for file in _tables(path):
                given.others = True
                if is_monitor(file):
                    monitors.setdefault(file.parent, []).append(file)
                else:
                    given.runs += read_csv(file, columns or {}, given.notes)
            if path.is_dir() and is_experiment(path):
                _add(given, path)
            elif path.is_dir() and is_run(path):
                folders.append((path, *_ordinary(path, given.notes)))
        except (OSError, FormatError) as error:
            said = printable(getattr(error, "strerror", None) or str(error), 800)
            given.notes.append(f"{path} is left out: {said}")
    for files in monitors.values():
        try:
            given.runs.append(read_monitors(files, given.notes))
        except (OSError, FormatError) as error:
            given.notes.append(f"{files[0]} is left out: {error}")
    for (_, run, _), label in zip(folders, labels([lock for *_, lock in folders]), strict=True):
        given.runs.append(replace(run, setting=label))
    return given


def questions(paths: Sequence[Path]) -> list[list[Path]]:
    """The paths, parted into those that are compared with each other.

    Experiments belong together that share a task, or whose settings are called alike. Whatever
    is no experiment goes with the first.
    """
    groups: list[list[ExperimentRecord]] = []
    place: dict[Path, int] = {}
    for path in paths:
        record = _record(path)
        if record is None:
            place[path] = 0
            continue
        near = (n for n, group in enumerate(groups) if any(_alike(record, own) for own in group))
        place[path] = next(near, len(groups))
        if place[path] == len(groups):
            groups.append([])
        groups[place[path]].append(record)
    return [[p for p in paths if place[p] == n] for n in range(max(1, len(groups)))]


def _record(path: Path) -> ExperimentRecord | None:
    """The record of an experiment; None of anything else, and of what cannot be read."""
    try:
        return experiment.read(path) if path.is_dir() and is_experiment(path) else None
    except (OSError, FormatError):
        return None


def _alike(one: ExperimentRecord, other: ExperimentRecord) -> bool:
    shared = {run.task for run in one.runs} & {run.task for run in other.runs}
    return bool(shared) or set(one.settings) == set(other.settings)


def _distinct(paths: Sequence[Path], notes: list[str]) -> list[Path]:
    """The paths, each place once."""
    found: dict[Path, Path] = {}
    for path in paths:
        try:
            place = path.resolve()
        except (OSError, RuntimeError, ValueError):
            notes.append(f"{path} is left out: it is no path")
            continue
        if place in found:
            notes.append(f"{path} is left out: it is the same as {found[place]}")
        else:
            found[place] = path
    return list(found.values())


def _tables(path: Path) -> list[Path]:
    """The CSV files at a path: itself, or those of a known name in a folder that is no run.

    Raises:
        FormatError: there is neither a file nor anything of a run.
    """
    if not path.exists():
        raise FormatError("there is no such file or folder")
    if not path.is_dir():
        return [path]
    if is_experiment(path) or is_run(path):
        return []
    found = sorted(file for pattern in TABLES for file in path.glob(pattern))
    if not found:
        raise FormatError(
            "it is neither an experiment nor a run: it has no results.json, result.json, "
            "metrics.csv or spec.lock.yaml, nor a progress.csv or monitor.csv"
        )
    return found


def _ordinary(path: Path, notes: list[str]) -> tuple[Run, Lock]:
    found, curve = read_run(path, notes)
    lock = read_lock(path / LOCK)
    if found.state != FINISHED:
        curve = None
    run = Run(str(path), "", lock.task, lock.seed, found.state, found.reason, found.score, curve)
    return run, lock


def _add(given: Given, path: Path) -> None:
    """Add an experiment's runs; the question and the baseline are those of the first.

    A later one that has the same settings on other tasks adds its tasks. Of any other, settings
    that are called as earlier ones get its name.
    """
    record, runs = experiment_runs(path, given.notes)
    tasks = {run.task for run in given.runs}
    if (
        given.record is not None
        and set(record.settings) == set(given.record.settings)
        and tasks.isdisjoint(run.task for run in runs)
    ):
        given.runs += runs
        given.record = _joined(given.record, record, path, given.notes)
        return
    taken = {run.setting for run in given.runs}
    for run in runs:
        twice = run.setting in taken
        setting = f"{record.name}: {run.setting}" if twice else run.setting
        given.runs.append(replace(run, setting=setting))
    if given.record is None:
        given.record = record
    elif record.question and record.question != given.record.question:
        given.notes.append(f"{path}: its question is not answered, but that of the first")


def _joined(
    first: ExperimentRecord, later: ExperimentRecord, path: Path, notes: list[str]
) -> ExperimentRecord:
    """The record of the same question asked on more tasks; what they do not agree on is dropped."""
    asked = dict.fromkeys(text for text in (first.question, later.question) if text)
    changes: dict[str, object] = {
        "question": " ".join(asked) or None,
        "scores": {**later.scores, **first.scores},
    }
    for name in ("threshold", "margin"):
        if getattr(first, name) != getattr(later, name):
            changes[name] = None
            notes.append(f"{path}: its {name} is not that of the first; neither is used")
    if later.baseline != first.baseline:
        notes.append(f"{path}: its baseline is not used, but that of the first")
    return first.model_copy(update=changes)
