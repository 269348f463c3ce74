"""Run a search in its folder: trials, then the best of them with fresh seeds, then best.yaml.

NAME-1/
  search.journal                   the trials as Optuna keeps them, unless a database does
  trials.csv                       the same for people
  trial-7-seed-1001/…              a run of a trial; its seeds are none of the experiment's
  trial-7-seed-1/…                 a run that confirms one of the best
  results.json                     those that confirm
  best.yaml                        the best as a spec
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import optuna

from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.experiments.conductor import Conductor
from ppoc.experiments.display.display import Display
from ppoc.experiments.experiment_folder import (
    ExperimentError,
    UnfinishedError,
    add_missing,
    record_of,
)
from ppoc.experiments.run_experiment import Wishes, open_engine, planned_for, run_members
from ppoc.experiments.search.best import NAME as BEST
from ppoc.experiments.search.best import best_text
from ppoc.experiments.search.budget import Allowance
from ppoc.experiments.search.confirm import Confirmed, confirmed
from ppoc.experiments.search.sampling import distinct
from ppoc.experiments.search.seeker import Seeker
from ppoc.experiments.search.study import REASON, open_study, owner
from ppoc.experiments.search.table import best_of
from ppoc.experiments.search.trial import bounds_of, members_of
from ppoc.formats.experiment import ExperimentRecord, write
from ppoc.formats.files import write_whole


def run_search(
    folder: Path,
    resolved: ExperimentResolved,
    display: Display,
    wishes: Wishes,
    say: Callable[[str], None],
) -> ExperimentRecord:
    """Search, confirm, and write best.yaml; the results of those confirmed.

    A signal stops it: runs save, and the same call goes on with them.

    Raises:
        EngineError: the engine cannot be used, or is lost.
        ExperimentError: the folder or its journal cannot be used.
        UnfinishedError: it was stopped, others still search, or no trial has a score.
        OSError: the folder cannot be written.
    """
    search = resolved.spec.search
    assert search is not None
    folder = folder.resolve()
    study, mine = open_study(folder, resolved, say), owner(folder, search)
    if len({cell.task for cell in resolved.cells} - bounds_of(resolved).keys()) > 1:
        raise ExperimentError(
            "returns of several tasks are scored together: `compare.scores` has to say for each "
            "task which count as 0 and as 1"
        )
    allowance = Allowance(resolved, study, mine)
    seeker = Seeker(folder, resolved, study, mine, allowance)
    if seeker.left or allowance.used_up(1) is None:
        _seek(seeker, folder, resolved, display, wishes, say, search.trials * allowance.runs)
    _check_over(seeker, folder, study)
    chosen = distinct(best_of(study))[: search.confirm]
    members: list[Member] = []
    for trial in chosen:
        members += members_of(resolved, trial.number, trial.params, resolved.seeds)
    add_missing(folder, members, trust=wishes.trust)
    names = ", ".join(f"trial {trial.number} ({trial.values[0]:,.6g})" for trial in chosen)
    say(f"confirming the best with fresh seeds: {names}")
    record = run_members(folder, resolved, members, display, wishes, say)
    found = confirmed(folder, resolved, chosen, members, record)
    if found:
        write_whole(folder / BEST, best_text(resolved, found, members))
        _tell(found, folder, say)
    return record


def _seek(
    seeker: Seeker,
    folder: Path,
    resolved: ExperimentResolved,
    display: Display,
    wishes: Wishes,
    say: Callable[[str], None],
    runs: int,
) -> None:
    planned = planned_for(resolved, wishes, runs)
    engine = open_engine(folder, resolved, planned, wishes, display)
    say(f"searching on {engine.place}")
    record, _ = record_of(folder, resolved, [])
    seeker.seek(Conductor(folder, record, engine, display), planned, display, wishes)
    if not seeker.stopped:
        write(folder, record)  # the results are of those that are confirmed


def _check_over(seeker: Seeker, folder: Path, study: optuna.Study) -> None:
    """See that all trials are over, and one has a score."""
    trials, left = study.get_trials(deepcopy=False), seeker.unfinished
    over = len(trials) - len(left)
    again = f"`ppoc run {folder} --resume` goes on"
    if seeker.stopped or seeker.left:
        raise UnfinishedError(f"stopped: {over} trials are over; {again}")
    if left:
        raise UnfinishedError(
            f"{len(left)} trials of other machines are not over: when they are, {again} here, "
            "and confirms the best"
        )
    if not best_of(study):
        reasons = [t.user_attrs[REASON] for t in trials if t.user_attrs.get(REASON)]
        last = f"; the last: {reasons[-1]}" if reasons else ""
        raise UnfinishedError(f"none of {over} trials has a score{last}")


def _tell(found: Sequence[Confirmed], folder: Path, say: Callable[[str], None]) -> None:
    for one in found:
        say(one.words)
    say(f"best settings: {folder / BEST}")
