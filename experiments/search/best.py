"""best.yaml: the best settings of a search as an ordinary spec, and where each comes from."""

from collections.abc import Sequence

from ppoc.compiler.compact import Note, document_text
from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.merge import merge
from ppoc.compiler.front.source import GREEK
from ppoc.experiments.search.confirm import Confirmed
from ppoc.experiments.search.space import values

NAME = "best.yaml"


def best_text(
    resolved: ExperimentResolved,
    found: Sequence[Confirmed],
    members: Sequence[Member],
) -> str:
    """The text of the first of some confirmed trials; files that it names have absolute names."""
    search = resolved.spec.search
    assert search is not None
    best = found[0]
    member = next(m for m in members if m.setting == f"trial-{best.trial.number}")
    document = member.cell.base.document
    for layer in member.cell.layers:
        document = merge(document, layer)
    plain = member.cell.base.kind.placed(document).plain()
    own = {"ppoc": plain["ppoc"], "name": f"{resolved.spec.name}-best"[:64]}
    plain = own | {k: value for k, value in plain.items() if k not in (*own, "lock")}
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
