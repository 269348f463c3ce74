"""Scores of the runs that count, by setting and task; what does not count is said."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable
from ppoc.reporting.learning import area, common_range
from ppoc.reporting.run import FINISHED, Array, Curve, Metric, Run

MOST_RUNS = 10_000
MOST_SETTINGS = 500
SHOWN = 10  # names in a note


@dataclass(frozen=True)
class Table:
    """Runs that count, and their scores by a metric.

    Attributes:
        settings: in order, those without a score too.
        baseline: that others are held against.
        scores: (setting, task) → scores [n] in ascending order, so that no order of seeds shows.
        runs: that have a score.
        notes: what does not count, and why.
    """

    metric: Metric
    settings: Sequence[str]
    tasks: Sequence[str]
    baseline: str
    scores: dict[tuple[str, str], Array]
    runs: Sequence[Run]
    notes: Sequence[str]

    def has(self, setting: str) -> bool:
        """Whether a setting has a score on any task."""
        return any(name == setting for name, _ in self.scores)

    def apart(self) -> list[str]:
        """Settings that have scores, but on no task of the baseline's."""
        shared = {s for s, t in self.scores if (self.baseline, t) in self.scores}
        return [name for name in self.settings if self.has(name) and name not in shared]

    def compared(self) -> list[str]:
        """Tasks on which the baseline and another setting have scores."""
        held = {task for name, task in self.scores if name != self.baseline}
        return [t for t in self.tasks if t in held and (self.baseline, t) in self.scores]

    def common(self) -> list[str]:
        """Tasks on which every setting has scores, but those without any, and those apart."""
        apart = self.apart() if self.has(self.baseline) else []
        present = [name for name in self.settings if self.has(name) and name not in apart]
        return [t for t in self.tasks if all((name, t) in self.scores for name in present)]

    def curves(self, setting: str, task: str) -> list[Curve]:
        """The curves of a setting on a task; none where one of its runs has none."""
        chosen = [run for run in self.runs if (run.setting, run.task) == (setting, task)]
        found = [run.curve for run in chosen if run.curve is not None]
        return found if len(found) == len(chosen) else []

    def task_curves(self, task: str) -> list[Curve]:
        """All curves on a task."""
        return [run.curve for run in self.runs if run.task == task and run.curve is not None]


def table_of(
    runs: Sequence[Run], metric: Metric, settings: Sequence[str], baseline: str | None
) -> Table:
    """The table of some runs.

    Raises:
        FormatError: no run has a score, there are too many, or there is no such baseline.
    """
    if len(runs) > MOST_RUNS:
        raise FormatError(f"these are {len(runs):,} runs; more than {MOST_RUNS:,} are not compared")
    names = list(dict.fromkeys([*settings, *(run.setting for run in runs)]))
    if len(names) > MOST_SETTINGS:
        raise FormatError(
            f"these are {len(names):,} settings; the most compared are {MOST_SETTINGS}"
        )
    if baseline is not None and baseline not in names:
        known = printable(", ".join(names), 500)
        raise FormatError(f"no setting is called {printable(baseline, 80)!r}; there are {known}")
    notes: list[str] = []
    counted = _once(_finished(runs, notes), notes)
    scored = _scored(counted, metric, notes)
    if not scored:
        said = "".join(f"\n  {printable(note)}" for note in notes)
        raise FormatError(f"no run can be compared{said}")
    scores: dict[tuple[str, str], list[float]] = {}
    for run, score in scored:
        scores.setdefault((run.setting, run.task), []).append(score)
    tasks = list(dict.fromkeys(run.task for run in runs if any(run.task == t for _, t in scores)))
    first = next(name for name in names if any(name == setting for setting, _ in scores))
    table = Table(
        metric,
        names,
        tasks,
        baseline or first,
        {place: np.sort(np.array(values)) for place, values in scores.items()},
        [run for run, _ in scored],
        notes,
    )
    apart = table.apart() if table.has(table.baseline) else []
    near = [name for name in names if name not in apart]
    held = [task for task in tasks if any((name, task) in scores for name in near)]
    notes += _missing(table.runs, near, held)
    return table


def _finished(runs: Sequence[Run], notes: list[str]) -> list[Run]:
    """The finished runs; others do not count, and the failed ones make a setting look better."""
    found = []
    for state in dict.fromkeys(run.state for run in runs):
        chosen = [run for run in runs if run.state == state]
        if state == FINISHED:
            found = chosen
            continue
        what = "1 run" if len(chosen) == 1 else f"{len(chosen)} runs"
        verb = {"failed": "failed", "stopped": "stopped early"}.get(
            state, "is not finished" if len(chosen) == 1 else "are not finished"
        )
        named = [f"{run} ({run.reason})" if run.reason else str(run) for run in chosen]
        notes.append(f"{what} {verb} and not counted: {_some(named)}")
    return found


def _once(runs: Sequence[Run], notes: list[str]) -> list[Run]:
    """The runs, without those that repeat a setting, a task and a seed: they are no evidence."""
    found: dict[object, Run] = {}
    twice = []
    for run in runs:
        key = (run.setting, run.task, run.seed) if run.seed is not None else id(run)
        if key in found:
            twice.append(f"{run} (as {found[key]})")
        else:
            found[key] = run
    if twice:
        notes.append(f"not counted, as setting, task and seed were there before: {_some(twice)}")
    return list(found.values())


def _scored(runs: Sequence[Run], metric: Metric, notes: list[str]) -> list[tuple[Run, float]]:
    """The runs that have a score by the metric, with it."""
    ranges = {
        task: common_range(curves)
        for task in {run.task for run in runs}
        if (curves := [r.curve for r in runs if r.task == task and r.curve is not None])
    }
    found, without = [], []
    for run in runs:
        score = run.score if metric == "evaluation" else None
        if metric != "evaluation" and run.curve is not None:
            last = metric == "training"
            score = float(run.curve.values[-1]) if last else area(run.curve, *ranges[run.task])
        if score is None or not np.isfinite(score):
            without.append(f"{run} ({run.reason})" if run.reason else str(run))
        else:
            found.append((run, score))
    if without:
        what = "final evaluation" if metric == "evaluation" else "curve of training"
        other = " (--metric training needs none)" if metric == "evaluation" else ""
        notes.append(f"not counted, as they have no {what}{other}: {_some(without)}")
    return found


def _missing(runs: Sequence[Run], settings: Sequence[str], tasks: Sequence[str]) -> list[str]:
    """Seeds that others have on a task and a setting lacks; settings without any score."""
    found = []
    for task in tasks:
        seeds = {s: {r.seed for r in runs if (r.setting, r.task) == (s, task)} for s in settings}
        everybody = Counter(seed for own in seeds.values() for seed in own if seed is not None)
        for setting, own in seeds.items():
            where = f" on {task}" if task else ""
            if not own:
                found.append(f"{setting} has no score{where}")
            elif None not in own and (lacking := sorted(everybody.keys() - own)):
                found.append(f"{setting} lacks{where} seed {_some([str(s) for s in lacking])}")
    return found


def _some(names: Sequence[str]) -> str:
    """Names, the first of them."""
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(printable(name, 300) for name in names[:SHOWN]) + rest
