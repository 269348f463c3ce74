"""A trial of a search under way: its runs, their returns so far, and its score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import optuna

from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.experiment.search import trial as setting_of
from ppoc.compiler.front.node import Node
from ppoc.experiments.progress import progress
from ppoc.experiments.run_folder import ending
from ppoc.experiments.search import score
from ppoc.experiments.search.sampling import UNITS
from ppoc.experiments.search.space import values

FIRST_SEED = 1001  # of trials; the seeds of the experiment are for those that are confirmed


class Found(NamedTuple):
    """The end of a trial: its score over seeds and tasks, and mean seconds of a run."""

    score: float
    seconds: float


@dataclass
class Trial:
    """A trial, and the runs that it is.

    Attributes:
        folder: of the experiment.
        members: seed by seed, each on all tasks.
        together: of these, the first so many run at once, and are compared with other trials'.
        ended: names of runs that have finished.
    """

    asked: optuna.Trial
    folder: Path
    members: Sequence[Member]
    together: int
    bounds: Mapping[str, Sequence[float]]
    ended: set[str] = field(default_factory=set)

    @property
    def number(self) -> int:
        return self.asked.number

    @property
    def over(self) -> bool:
        """Whether all runs have finished."""
        return len(self.ended) == len(self.members)

    @property
    def steps(self) -> int:
        """Steps that its runs have taken so far."""
        return sum(self._steps(member) for member in self.members)

    def _steps(self, member: Member) -> int:
        found = ending(self.folder / member.name)
        if found is not None and found.finished:
            return found.steps
        seen = progress(self.folder / member.name)
        return seen.step if seen is not None else 0

    def is_worse(self, prune: str) -> str | None:
        """Report what is new of its returns; in words, where it is behind others, else None."""
        if prune == "none":
            return None
        reported = self._reported
        for step, value in self._runs() if prune == "wilcoxon" else self._parts(len(reported)):
            if step in reported:
                continue
            self.asked.report(value, step)
            if self.asked.should_prune():
                if prune == "wilcoxon":
                    return f"after {len(self.ended)} of {len(self.members)} runs"
                return f"after {step} of {UNITS} parts, at {value:,.6g}"
        return None

    @property
    def _reported(self) -> Mapping[int, float]:
        trials = self.asked.study.get_trials(deepcopy=False)
        return trials[self.number].intermediate_values

    def _runs(self) -> list[tuple[int, float]]:
        """Scores of runs that have finished, by their place in the trial."""
        found = []
        for place, member in enumerate(self.members):
            if member.name in self.ended and (value := self._score(member)) is not None:
                found.append((place, value))
        return found

    def _parts(self, known: int) -> list[tuple[int, float]]:
        """Returns of parts that the runs which began together have all behind them.

        Not of the last part: who has come so far is at the end.
        """
        first = self.members[: self.together]
        reached = min(self._steps(member) * UNITS // member.steps for member in first)
        if min(reached, UNITS - 1) <= known:
            return []
        curves = [
            score.by_unit(score.curve(self.folder / member.name), member.steps) for member in first
        ]
        found = []
        for unit in range(min(UNITS - 1, *map(len, curves))):
            values = [
                score.scaled(value, self.bounds.get(member.task))
                for member, curve in zip(first, curves, strict=True)
                if (value := curve[unit]) is not None
            ]
            if len(values) == len(curves):
                found.append((unit + 1, math.fsum(values) / len(values)))
        return found

    def _score(self, member: Member) -> float | None:
        found = score.score(self.folder / member.name)
        return None if found is None else score.scaled(found, self.bounds.get(member.task))

    def found(self) -> Found | None:
        """Its end; None where a run has neither returns nor an evaluation."""
        scores = [self._score(member) for member in self.members]
        endings = [ending(self.folder / member.name) for member in self.members]
        known = [value for value in scores if value is not None and math.isfinite(value)]
        if len(known) < len(scores):
            return None
        seconds = [end.seconds for end in endings if end is not None]
        return Found(math.fsum(known) / len(known), math.fsum(seconds) / max(1, len(seconds)))


def members_of(
    resolved: ExperimentResolved,
    number: int,
    params: Mapping[str, Any],
    seeds: Sequence[Node] | None = None,
) -> list[Member]:
    """The runs of a trial, by its parameters.

    Args:
        seeds: of its runs; None: those that are for trials.

    Raises:
        SpecError: its base cannot be read.
    """
    search = resolved.spec.search
    assert search is not None
    setting = setting_of(resolved.root, values(search.space, params), f"trial-{number}")
    return resolved.members_of([setting], trial_seeds(resolved) if seeds is None else seeds)


def trial_seeds(resolved: ExperimentResolved) -> list[Node]:
    """The seeds of trials: none of those that the best are confirmed with."""
    search = resolved.spec.search
    assert search is not None
    fresh, place = {seed.value for seed in resolved.seeds}, resolved.root.value["search"]
    chosen = [seed for seed in range(FIRST_SEED, FIRST_SEED + 2000) if seed not in fresh]
    return [Node(seed, place.span, place.key_span, "search") for seed in chosen[: search.seeds]]


def bounds_of(resolved: ExperimentResolved) -> Mapping[str, Sequence[float]]:
    """Task → its scores that count as 0 and as 1; empty where all returns are of one task."""
    scores = resolved.spec.compare.scores
    return scores if len({cell.task for cell in resolved.cells}) > 1 else {}
