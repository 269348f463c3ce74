"""The folder of an experiment: made, gone on with, and given more runs.

NAME-1/
  spec.lock.yaml, manifest.json    the experiment, compiled
  experiment.yaml                  the spec that flags stood for, where they did
  results.json                     its runs, and how far they are
  NAME-OF-A-RUN/…                  an ordinary run folder each
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ppoc.compiler.difference import differences
from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.output.build import LOCK, MANIFEST, Compiled, compile_spec
from ppoc.compiler.output.manifest import FolderError, read_file
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.experiments.engines.run_folder import ending
from ppoc.formats.documents import NewerError
from ppoc.formats.experiment import NAME, ExperimentRecord, RunRecord, read
from ppoc.formats.files import open_to_write, write_whole
from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable

SPEC, HELD = "experiment.yaml", "experiment.lock"
VALUE = 60  # characters of a value that a message shows


class ExperimentError(Exception):
    """An experiment that cannot be run there; the text says why and what to do."""


class UnfinishedError(Exception):
    """A search that has not come to its end; the text says how far it is, and how it goes on."""


def as_experiment(resolved: ResolvedSpec) -> ExperimentResolved | None:
    """A spec of an experiment; None where it is of one run."""
    return resolved if isinstance(resolved, ExperimentResolved) else None


def is_experiment(folder: Path) -> bool:
    """Whether a folder looks like one of an experiment: a lock, and no module of its own."""
    return os.path.lexists(folder / LOCK) and not os.path.lexists(folder / "module.py")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold an experiment's folder, which the system releases however this process ends.

    Raises:
        ExperimentError: another process holds it.
    """
    file = open_to_write(folder / HELD)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ExperimentError(
                f"another process is running the experiment in {folder}"
            ) from None
        yield
    finally:
        os.close(file)


def add_missing(folder: Path, members: Sequence[Member], *, trust: bool) -> None:
    """Compile the runs that a folder lacks, such as those after which it was killed.

    Raises:
        SpecError: one does not compile here.
    """
    for member in members:
        if not os.path.lexists(folder / member.name / MANIFEST):
            compile_spec(member.resolved, trust=trust).write(folder / member.name)


def extend(folder: Path, compiled: Compiled) -> None:
    """Give a folder the runs of a spec that it lacks; those that it has must mean the same.

    Raises:
        ExperimentError: one does not, or is none; nothing was written.
    """
    members = compiled.members or {}
    there = [name for name in members if os.path.lexists(folder / name / MANIFEST)]
    for name in there:
        _compare(folder / name, members[name])
    for name in members.keys() - set(there):
        members[name].write(folder / name)
    for name, text in compiled.texts.items():
        write_whole(folder / name, text)


def _compare(folder: Path, compiled: Compiled) -> None:
    """See that the run in a folder is of the spec that is to be run there."""
    try:
        text = read_file(folder / LOCK)
        if text == compiled.lock:
            return
        before = resolve(folder / LOCK)
    except (FolderError, SpecError) as error:
        why = error.diagnostics[0].message if isinstance(error, SpecError) else str(error)
        raise ExperimentError(f"the run in {folder} cannot be compared: {why}") from error
    now = resolve_text(compiled.lock, f"{folder.name}.yaml")
    found = differences(before, now)
    if found:
        left, right = (printable(str(x), VALUE) for x in (found[0].left, found[0].right))
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ExperimentError(
            f"{folder} was made with `{found[0].path}: {left}`, and the spec says {right}{more}: "
            "a run is never made over; give another --out, or another name to what is new"
        )


def record_of(
    folder: Path, resolved: ExperimentResolved, members: Sequence[Member]
) -> tuple[ExperimentRecord, list[str]]:
    """The results of an experiment as its folder has them now, and what to say about that.

    Folders of runs are believed before results.json, which is made anew where it is none.

    Args:
        members: the runs of it that are asked about.

    Raises:
        ExperimentError: a newer version of ppoc wrote it.
    """
    before, notes = _earlier(folder)
    spec = resolved.spec
    runs = []
    for member in members:
        made = RunRecord(
            run=member.name, setting=member.setting, task=member.task, seed=member.seed
        )
        run = before.get(member.name, made).model_copy(
            update=made.model_dump(include={"setting", "task", "seed"})
        )
        runs.append(_as_found(run, folder / member.name))
    if gone := before.keys() - {run.run for run in runs}:
        some = ", ".join(sorted(gone)[:3]) + (", …" if len(gone) > 3 else "")
        notes.append(f"not in the spec any more, and kept as they are: {some}")
    compare = spec.compare
    settings = dict.fromkeys(member.setting for member in members)
    record = ExperimentRecord(
        name=spec.name,
        question=spec.question,
        baseline=compare.baseline,
        confidence=compare.confidence,
        threshold=compare.threshold,
        margin=compare.margin,
        scores={task: (low, high) for task, (low, high) in compare.scores.items()},
        settings=list(settings),
        runs=runs,
    )
    return record, notes


def _earlier(folder: Path) -> tuple[Mapping[str, RunRecord], list[str]]:
    try:
        return {run.run: run for run in read(folder).runs}, []
    except FileNotFoundError:
        return {}, []
    except NewerError as error:
        raise ExperimentError(f"{folder / NAME}: {error}") from error
    except (OSError, FormatError) as error:
        return {}, [f"{folder / NAME} is made anew from the runs: {printable(str(error), 300)}"]


def _as_found(run: RunRecord, folder: Path) -> RunRecord:
    """A run's record, as its folder tells it."""
    found = ending(folder)
    if found is not None and found.finished:
        update = {"state": "finished", "steps": found.steps, "score": found.score, "reason": None}
        seconds = max(run.seconds, found.seconds)
        return run.model_copy(update={**update, "seconds": seconds})
    state = "failed" if run.state == "failed" else "waiting"
    return run.model_copy(update={"state": state, "score": None})
