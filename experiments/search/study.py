"""The study of a search: what Optuna keeps of it, in the experiment's folder or in a database."""

import contextlib
import hashlib
import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

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
DIGEST, OWNER = "spec", "owner"


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
    directions = ["maximize", "minimize"] if search.cost else ["maximize"]
    with _plainly(where, search.storage):
        storage = _storage(folder, search, say)
        known = {s.study_name: s for s in optuna.get_all_study_summaries(storage)}
        study = optuna.create_study(
            storage=storage,
            study_name=resolved.spec.name,
            directions=directions,
            sampler=Seeded(lambda number: sampler(search, number)),
            pruner=pruner(search, search.seeds * len({cell.task for cell in resolved.cells})),
            load_if_exists=True,
        )
        digest = _digest(resolved)
        if study.study_name not in known:
            study.set_user_attr(DIGEST, digest)
        if study.user_attrs.get(DIGEST) != digest or len(study.directions) != len(directions):
            raise ExperimentError(
                f"{where} is of another search: its space, its base or how it is scored differ; "
                "give another --out, or another name"
            )
        study.get_trials(deepcopy=False)  # what is strange there, shows now
    return study


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


def owner(folder: Path) -> str:
    """A name for this folder on this machine, among those that search together."""
    return f"{socket.gethostname()}:{folder}"
