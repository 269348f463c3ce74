"""The study of a search: what Optuna keeps of it, in the experiment's folder or in a database."""

import contextlib
import hashlib
import json
import math
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import TrialState

from ppoc.compiler.experiment.language.search import Search
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.experiments.experiment_folder import ExperimentError
from ppoc.experiments.search.sampling import Seeded, pruner, sampler
from ppoc.formats.documents import parse_document
from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError, read_regular
from ppoc.formats.text import printable

JOURNAL = "search.journal"
LARGEST = 256 * 2**20  # bytes
DIGEST, HOURS = "spec", "hours of "  # of a study
OWNER, REASON = "owner", "reason"  # of a trial, as are these
RUNS, STEPS, SECONDS = NUMBERS = ("runs", "steps", "seconds")
HERE = "here"


class _Held(JournalFileOpenLock):
    """No lock: the process holds the whole folder, and a killed one leaves none behind."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def open_study(
    folder: Path, resolved: ExperimentResolved, say: Callable[[str], None]
) -> optuna.Study:
    """The study of an experiment, made where there is none.

    Args:
        folder: of the experiment, held by this process.

    Raises:
        ExperimentError: the journal is damaged, the database not to be had, or either is of
            another search; nothing was written.
    """
    search = resolved.spec.search
    assert search is not None
    where = "its database" if search.storage else str(folder / JOURNAL)
    directions = [StudyDirection.MAXIMIZE, *([StudyDirection.MINIMIZE] if search.cost else [])]
    with _plainly(where, search.storage):
        storage = _storage(folder, search, say)
        known = {summary.study_name for summary in optuna.get_all_study_summaries(storage)}
        if resolved.spec.name not in known:
            with contextlib.suppress(optuna.exceptions.DuplicatedStudyError):  # just made elsewhere
                optuna.create_study(
                    storage=storage, study_name=resolved.spec.name, directions=directions
                )
        study = optuna.load_study(
            storage=storage,
            study_name=resolved.spec.name,
            sampler=Seeded(lambda number: sampler(search, number)),
            pruner=pruner(search, search.seeds * len({cell.task for cell in resolved.cells})),
        )
        digest = _digest(resolved)
        if DIGEST not in study.user_attrs and not study.get_trials(deepcopy=False):
            study.set_user_attr(DIGEST, digest)
        if study.user_attrs.get(DIGEST) != digest:
            raise ExperimentError(
                f"{where} is of another search: its space, its base or how it is scored differ; "
                "give another --out, or another name"
            )
        _check(study)
    return study


def _check(study: optuna.Study) -> None:
    """See that what others may have written is what the search takes it for.

    Raises:
        FormatError: it is not.
    """
    for name, value in study.user_attrs.items():
        if name.startswith(HOURS) and not _is_number(value):
            raise FormatError(f"{name} is no number")
    for trial in study.get_trials(deepcopy=False):
        attrs, values = trial.user_attrs, trial.values
        numbers = [attrs[name] for name in NUMBERS if name in attrs]
        if not all(map(_is_number, numbers)) or not isinstance(attrs.get(REASON, ""), str):
            raise FormatError(f"what it says of trial {trial.number} is not of its type")
        is_scored = values is not None and len(values) == len(study.directions)
        if trial.state == TrialState.COMPLETE and not is_scored:
            raise FormatError(f"trial {trial.number} is finished and has no score")
        if not all(map(_is_number, [*(values or ()), *trial.intermediate_values.values()])):
            raise FormatError(f"the scores of trial {trial.number} are no numbers")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _storage(folder: Path, search: Search, say: Callable[[str], None]) -> BaseStorage:
    if search.storage is not None:
        return RDBStorage(search.storage)
    path = folder / JOURNAL
    if os.path.lexists(path):
        _mend(path, say)
    return JournalStorage(JournalFileBackend(str(path), _Held(str(path))))


def _mend(path: Path, say: Callable[[str], None]) -> None:
    """See that a journal is one, and drop a last line that a crash cut short.

    Raises:
        FormatError: it is none.
    """
    data = read_regular(path, LARGEST)
    whole, end, torn = data.rpartition(b"\n")
    for number, line in enumerate(whole.split(b"\n") if end else [], 1):
        try:
            entry = parse_document(line)
            if type(entry.get("op_code")) is not int:
                raise FormatError("it has no op_code")
        except FormatError as error:
            raise FormatError(f"line {number}: {error}") from None
    if torn:
        write_whole(path, whole + end)
        say(f"{path} ended in half a line, as after a crash: it was dropped")


def _digest(resolved: ExperimentResolved) -> str:
    """A checksum of all that decides how a trial is scored, the same by a spec and by its lock."""
    whole, spec = resolved.whole.plain(), resolved.spec
    space = {
        key: {form: found for form, found in where.items() if found is not None}
        for key, where in whole["search"]["space"].items()
    }
    search = spec.model_dump(mode="json")["search"]
    scored = {key: search[key] for key in ("method", "prune", "seeds", "cost")}
    rows = {"base": whole["base"], "set": whole.get("set") or {}, "tasks": spec.tasks}
    rows |= {"space": space, "scores": spec.compare.scores, **scored}
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _plainly(where: str, storage: str | None) -> Iterator[None]:
    """Say in one message what is wrong with where the study is kept."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    try:
        yield
    except ExperimentError:
        raise
    except Exception as error:  # whatever Optuna makes of what strangers wrote
        lines = str(error).strip().splitlines() or [type(error).__name__]
        text = lines[0] if isinstance(error, FormatError) else f"{type(error).__name__}: {lines[0]}"
        if storage is not None:
            shown = text.replace(storage, "…")  # it may have a password
            message = f"cannot search with the database of `search.storage`: {shown}"
            raise ExperimentError(printable(message, 500)) from error
        raise ExperimentError(
            f"{where} is damaged ({printable(text, 300)}). The runs of its trials are whole, in "
            "folders of their own: put the journal back from a copy, or begin anew in another --out"
        ) from error


def owner(folder: Path, search: Search) -> str:
    """A name for this folder among those that search together; a journal has but one."""
    return HERE if search.storage is None else f"{socket.gethostname()}:{folder}"
