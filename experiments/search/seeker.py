"""The loop of a search: asks for trials while there is room, prunes and scores them."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.experiments.conductor import TICK_SECONDS, Conductor
from ppoc.experiments.display import Display
from ppoc.experiments.experiment_folder import add_missing, record_of
from ppoc.experiments.planning import Plan
from ppoc.experiments.run_experiment import Wishes, job_of
from ppoc.experiments.search.budget import Allowance
from ppoc.experiments.search.space import distributions, values, words
from ppoc.experiments.search.study import HERE, OWNER, REASON, RUNS, SECONDS, STEPS
from ppoc.experiments.search.table import write_table
from ppoc.experiments.search.trial import Trial, bounds_of, members_of
from ppoc.experiments.stopping import requests
from ppoc.formats.experiment import RunRecord
from ppoc.formats.text import printable

LOOK_SECONDS = 1.0
REASON_LENGTH = 1_000  # characters


class Seeker:
    """A search of this machine, with the trials that it has under way.

    Attributes:
        stopped: whether a signal ended it.
    """

    def __init__(
        self,
        folder: Path,
        resolved: ExperimentResolved,
        study: optuna.Study,
        owner: str,
        allowance: Allowance,
    ) -> None:
        search = resolved.spec.search
        assert search is not None
        self.stopped = False
        self._folder, self._resolved, self._study = folder, resolved, study
        self._search, self._owner, self._allowance = search, owner, allowance
        self._space = distributions(search.space)
        self._bounds = bounds_of(resolved)
        self._going: dict[int, Trial] = {}

    @property
    def left(self) -> list[FrozenTrial]:
        """Trials of this folder that are not over."""
        alone = self._owner == HERE
        found = self.unfinished
        return [trial for trial in found if alone or trial.user_attrs.get(OWNER) == self._owner]

    @property
    def unfinished(self) -> list[FrozenTrial]:
        """Trials that are not over, of all machines."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def seek(self, conductor: Conductor, planned: Plan, display: Display, wishes: Wishes) -> None:
        """Go on with trials under way, and begin others while the budget has room."""
        self._conductor, self._display, self._wishes = conductor, display, wishes
        self._planned = planned
        with requests() as asked, display:
            try:
                for trial in self.left:
                    self._go_on(trial)
                looked, more = 0.0, True
                while (conductor.active or (more and not conductor.stopping)) and not asked.at_once:
                    if asked.stop and not conductor.stopping:
                        self.stopped = True
                        conductor.stop()
                        display.message("stopping: runs save a checkpoint; again: at once")
                    if more and conductor.room and not conductor.stopping:
                        more = self._begin()
                    for run in conductor.step():
                        self._note(run)
                    if time.monotonic() - looked >= LOOK_SECONDS:
                        looked = time.monotonic()
                        self._look()
                    time.sleep(TICK_SECONDS)
            finally:
                conductor.end()
                self._allowance.note(now=True)
                write_table(self._folder, self._study, self._search)

    def _go_on(self, trial: FrozenTrial) -> None:
        asked = optuna.Trial(self._study, trial._trial_id)
        if set(self._space) <= set(trial.params):
            self._start(asked, trial.params)
        else:
            self._fail(asked, "the search was killed while it drew its values")

    def _begin(self) -> bool:
        """Begin a trial; False where none is to be begun any more."""
        why = self._allowance.used_up(self._planned.jobs)
        if why is not None:
            self._display.message(why)
            return False
        asked = self._study.ask(self._space)
        asked.set_user_attr(OWNER, self._owner)
        if asked.number >= self._search.trials:  # another machine was faster
            self._fail(asked, "there are enough trials")
            return False
        self._start(asked, asked.params)
        return True

    def _start(self, asked: optuna.Trial, params: Mapping[str, Any]) -> None:
        """Compile the runs of a trial, as far as they are not, and have them made."""
        try:
            members = members_of(self._resolved, asked.number, params)
            add_missing(self._folder, members, trust=self._wishes.trust)
            planned = sum(member.steps for member in members)
        except (SpecError, KeyError) as error:
            text = error.diagnostics[0].message if isinstance(error, SpecError) else "no such value"
            self._fail(asked, f"{words(self._values(params))}: {text}")
            return
        asked.set_user_attr(RUNS, len(members))
        asked.set_user_attr(STEPS, planned)
        tasks = max(1, len(members) // self._search.seeds)
        together = tasks * min(self._search.seeds, max(1, self._planned.jobs // tasks))
        trial = Trial(asked, self._folder, members, together, self._bounds)
        self._going[asked.number] = trial
        record, _ = record_of(self._folder, self._resolved, members)
        for run, member in zip(record.runs, members, strict=True):
            done = run.state == "finished"
            if done:
                trial.ended.add(run.run)
            job = None if done else job_of(self._folder, run, self._planned, self._wishes)
            self._conductor.add(run.model_copy(update={"reason": None}), job, member.steps)
        self._advance(trial)

    def _note(self, run: RunRecord) -> None:
        """Note how a run of a trial has ended; those of trials that are over, nobody waits for."""
        number = int(run.setting.removeprefix("trial-"))
        trial = self._going.get(number)
        if trial is None:
            return
        if run.state == "finished":
            trial.ended.add(run.run)
            self._advance(trial)
        elif run.state == "failed":
            self._end(trial)
            self._fail(trial.asked, f"{run.run}: {run.reason or 'no reason is known'}", trial.steps)

    def _look(self) -> None:
        self._allowance.note()
        for trial in list(self._going.values()):
            self._advance(trial)

    def _advance(self, trial: Trial) -> None:
        """Prune a trial that is behind others, or score it when all its runs have finished."""
        why = trial.is_worse(self._search.prune)
        if why is not None:
            self._end(trial)
            trial.asked.set_user_attr(STEPS, trial.steps)
            trial.asked.set_user_attr(REASON, why)
            self._study.tell(trial.number, state=TrialState.PRUNED)
            self._say(trial.asked, f"pruned {why}")
        elif trial.over:
            self._score(trial)

    def _score(self, trial: Trial) -> None:
        self._end(trial)
        found = trial.found()
        if found is None:
            self._fail(trial.asked, "a run has neither returns nor an evaluation", trial.steps)
            return
        trial.asked.set_user_attr(STEPS, trial.steps)
        trial.asked.set_user_attr(SECONDS, round(found.seconds, 3))
        cost = (found.seconds,) if self._search.cost else ()
        self._study.tell(trial.number, [found.score, *cost])
        self._say(trial.asked, f"score {found.score:,.6g}, {found.seconds:.1f} s a run")

    def _end(self, trial: Trial) -> None:
        """Let a trial go, with a checkpoint of what still runs of it."""
        self._going.pop(trial.number)
        for member in trial.members:
            if member.name not in trial.ended:
                self._conductor.stop(member.name)

    def _fail(self, asked: optuna.Trial, reason: str, steps: int = 0) -> None:
        text = printable(reason, REASON_LENGTH)
        asked.set_user_attr(REASON, text)
        asked.set_user_attr(STEPS, steps)
        self._study.tell(asked.number, state=TrialState.FAIL)
        self._say(asked, f"failed: {text}")

    def _say(self, asked: optuna.Trial, text: str) -> None:
        said = words(self._values(asked.params))
        self._display.message(f"trial {asked.number}: {text} ({said})")
        write_table(self._folder, self._study, self._search)

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return values(self._search.space, params)
        except KeyError:
            return dict(params)
