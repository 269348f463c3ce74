"""best.yaml: the best settings of a search as an ordinary spec, and where each comes from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ppoc.compiler.compact import Note, document_text
from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.merge import merge
from ppoc.compiler.front.source import GREEK, parse
from ppoc.compiler.output.build import compile_spec
from ppoc.experiments.search.confirm import Confirmed
from ppoc.experiments.search.space import values
from ppoc.formats.files import copy_whole

NAME = "best.yaml"


def best_text(
    resolved: ExperimentResolved,
    found: Sequence[Confirmed],
    members: Sequence[Member],
    folder: Path,
) -> str:
    """The text of the first of some confirmed trials; files that it names are copied beside it.

    Raises:
        SpecError: it does not compile here; OSError: a file cannot be copied.
    """
    search = resolved.spec.search
    assert search is not None
    best = found[0]
    member = next(m for m in members if m.setting == f"trial-{best.trial.number}")
    document = member.cell.base.document
    for layer in member.cell.layers:
        document = merge(document, layer)
    plain = {key: value for key, value in document.plain().items() if key != "lock"}
    own = {"ppoc": plain.pop("ppoc"), "name": f"{resolved.spec.name}-best"[:64]}
    plain = own | {key: value for key, value in plain.items() if key != "name"}
    compiled = compile_spec(member.resolved)
    for name, source in compiled.data.items():
        copy_whole(source, folder / name)
    plain = _paths(plain, parse(compiled.lock, "lock").plain())
    searched = values(search.space, best.trial.params)
    notes = [_note(key, search.space[key].said, best) for key in searched]
    return document_text(plain, notes, _head(resolved, found))


def _head(resolved: ExperimentResolved, found: Sequence[Confirmed]) -> list[str]:
    search, best = resolved.spec.search, found[0]
    assert search is not None
    lines = [
        f"The best settings that {resolved.spec.name} found, by {search.method} with "
        f"{search.seeds} seeds a trial, confirmed with seeds that the search did not use."
    ]
    lines += [one.words for one in found]
    if len(found) > 1:
        lines.append(
            f"trial {best.trial.number} is the best of {len(found)} that were confirmed, which "
            "makes its mean look a little better than it is: `ppoc compare` compares them."
        )
    return lines


def _note(key: str, said: str, best: Confirmed) -> Note:
    path = tuple(GREEK.get(step, step) for step in key.split("."))
    return Note(path, f"{path[-1]}: searched, {said}; of trial {best.trial.number}")


def _paths(values: Any, lock: Any) -> Any:
    """Values with texts as the lock has them, whose paths lead to the same files from anywhere."""
    if isinstance(values, Mapping) and isinstance(lock, Mapping):
        return {key: _paths(value, lock.get(key)) for key, value in values.items()}
    other = isinstance(values, str) and isinstance(lock, str) and "/" in lock
    return lock if other else values
