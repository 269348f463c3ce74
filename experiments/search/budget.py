"""How much of a search is left: trials, and what its budget has besides those confirmed."""

import math
import time
from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.experiments.experiment_folder import ExperimentError
from ppoc.experiments.search.study import HOURS, RUNS, SECONDS, STEPS

NOTE_SECONDS = 60.0


class Allowance:
    """The part of a budget with which a search may still begin something.

    The runs of the best few with fresh seeds are set aside first.
    """

    def __init__(self, resolved: ExperimentResolved, study: optuna.Study, owner: str) -> None:
        """Raises ExperimentError where not one trial has room."""
        search = resolved.spec.search
        assert search is not None
        tasks = len({cell.task for cell in resolved.cells})
        lengths = [
            one.resolved.kind.length(one.resolved) for _, one in resolved.examined if one.resolved
        ]
        self._study, self._most, self._budget = study, search.trials, resolved.spec.budget
        self.runs = search.seeds * tasks
        self._length = max(lengths, default=0)
        self.confirming = search.confirm * len(resolved.seeds) * tasks
        self._hours = f"{HOURS}{owner}"
        self._before = float(study.user_attrs.get(self._hours, 0.0))
        self._begun = self._noted = time.monotonic()
        if not study.get_trials(deepcopy=False) and (why := self.used_up(1)) is not None:
            raise ExperimentError(
                f"{why}, with {self.runs} runs of a trial and {self.confirming} that confirm the "
                f"best (`search.confirm` × `seeds`), of {self._length:,} steps each: raise it, or "
                "search with fewer"
            )

    @property
    def hours(self) -> float:
        """Hours that this has searched, in all sessions."""
        return self._before + (time.monotonic() - self._begun) / 3600

    def note(self, *, now: bool = False) -> None:
        """Keep the hours, now and then."""
        if now or time.monotonic() - self._noted > NOTE_SECONDS:
            self._noted = time.monotonic()
            self._study.set_user_attr(self._hours, round(self.hours, 5))

    def used_up(self, jobs: int) -> str | None:
        """Why no other trial is begun, in words; None where one may be."""
        trials = self._study.get_trials(deepcopy=False)
        budget = self._budget
        if len(trials) >= self._most:
            return f"all {self._most} trials are begun"
        runs = self._sum(trials, RUNS) + self.runs + self.confirming
        if budget.runs is not None and runs > budget.runs:
            return f"budget.runs, {budget.runs:,}, has no room for another trial"
        ahead = (self.runs + self.confirming) * self._length
        if budget.steps is not None and self._sum(trials, STEPS) + ahead > budget.steps:
            return f"budget.steps, {budget.steps:,}, has no room for another trial"
        if budget.hours is not None and self.hours + self._hours_ahead(trials, jobs) > budget.hours:
            return f"budget.hours, {budget.hours:g}, has no room for another trial"
        return None

    def _hours_ahead(self, trials: Sequence[FrozenTrial], jobs: int) -> float:
        """Hours of another trial and of those confirmed, as long as runs took so far."""
        taken = [float(t.user_attrs[SECONDS]) for t in trials if t.user_attrs.get(SECONDS)]
        each = math.fsum(taken) / len(taken) if taken else 0.0
        rounds = math.ceil(self.runs / jobs) + math.ceil(self.confirming / jobs)
        return rounds * each / 3600

    @staticmethod
    def _sum(trials: Sequence[FrozenTrial], name: str) -> int:
        return sum(int(trial.user_attrs.get(name, 0)) for trial in trials)
