"""Settings compared: statistics on each task and over all of them, and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable
from ppoc.reporting import aggregates, verdict
from ppoc.reporting.aggregates import STATISTICS, Estimate
from ppoc.reporting.inputs import read
from ppoc.reporting.learning import Reached, area, common_range, reached
from ppoc.reporting.run import Array, Metric, Run
from ppoc.reporting.scales import SHARE, Scale, scale_of
from ppoc.reporting.table import Table, table_of
from ppoc.reporting.verdict import Verdict

OVERALL = "all tasks"
THRESHOLDS = np.linspace(0, 1, 21)  # of performance profiles, on normalised scores


@dataclass(frozen=True)
class Cell:
    """Statistics of a setting, on a task or over all of them.

    Attributes:
        scores: of its runs, in ascending order; over all tasks these are normalised.
        statistics: mean, median, iqm and optimality_gap; the last on normalised scores.
        improvement: the probability that it beats the baseline; None of the baseline itself.
        auc: mean over runs of the area under the curve; None where a run has no curve.
        reached: steps to the threshold; None where none was given, or a run has no curve.
        profile: share of runs above each of `THRESHOLDS`, and the ends of its intervals.
    """

    setting: str
    task: str
    scores: Array
    statistics: Mapping[str, Estimate]
    improvement: Estimate | None = None
    auc: float | None = None
    reached: Reached | None = None
    profile: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found.

    Attributes:
        scales: task → the scores that count as 0 and 1, and where these are from.
        common: tasks on which every setting has scores, over which they are joined.
        cells: of tasks, then over all of them.
        verdicts: over all tasks, or of the only one.
        by_task: verdicts on single tasks, where there are several.
        notes: what was left out, and what numbers do not say.
    """

    table: Table
    question: str | None
    metric: Metric
    confidence: float
    threshold: float | None
    scales: Mapping[str, Scale]
    common: Sequence[str]
    cells: Sequence[Cell]
    verdicts: Sequence[Verdict]
    by_task: Sequence[Verdict] = ()
    notes: Sequence[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The answer, in words: the question first, then a line for each setting."""
        return "\n".join(verdict.answer(self.question, self.verdicts, self.by_task, self.table))


def compare(
    runs: Sequence[Run],
    *,
    question: str | None = None,
    baseline: str | None = None,
    confidence: float = 0.95,
    threshold: float | None = None,
    scores: Mapping[str, tuple[float, float]] | None = None,
    settings: Sequence[str] = (),
    metric: Metric = "evaluation",
    margin: float | None = None,
    share: float = SHARE,
    resamples: int = aggregates.RESAMPLES,
    notes: Sequence[str] = (),
) -> Comparison:
    """Compare settings by their runs. The same runs give the same numbers, in whatever order.

    Args:
        baseline: the setting that others are held against; the first where none is named.
        threshold: return for the steps to it.
        scores: task → the scores that count as 0 and 1.
        settings: their order; others follow as they come.
        margin: the least difference of scores that matters.
        share: where no margin is given, the share of a range from which on a difference matters.

    Raises:
        FormatError: no run has a score, or no run is of the baseline.
    """
    table = table_of(runs, metric, settings, baseline)
    ranges = scores or {}
    scales = {task: scale_of(table, task, ranges.get(task), margin, share) for task in table.tasks}
    common = table.common()
    cells = [
        _cell(table, setting, task, scales[task], confidence, threshold, resamples)
        for task in table.tasks
        for setting in table.settings
        if (setting, task) in table.scores
    ]
    joined = len(common) > 1
    if joined:
        cells += [
            _overall(table, setting, common, scales, confidence, resamples)
            for setting in table.settings
            if all((setting, task) in table.scores for task in common)
        ]
    verdicts, by_task = verdict.judge(table, common, scales, confidence)
    return Comparison(
        table,
        question,
        metric,
        confidence,
        threshold,
        scales,
        common,
        cells,
        verdicts,
        by_task,
        [*notes, *table.notes, *_cautions(table, common, scales)],
    )


def answer(folder: Path) -> list[str]:
    """The lines with which an experiment ends: its question answered, and each setting's verdict.

    Raises:
        OSError, FormatError: the folder has no results, or none of a finished run.
    """
    return compare_paths([folder]).verdict.split("\n")


def compare_paths(
    paths: Sequence[Path],
    *,
    columns: Mapping[str, str] | None = None,
    baseline: str | None = None,
    confidence: float | None = None,
    threshold: float | None = None,
    metric: Metric = "evaluation",
    margin: float | None = None,
    share: float | None = None,
) -> Comparison:
    """Compare what lies at some paths; what is not given is as the experiment says.

    Raises:
        FormatError: nothing can be compared; the text says why, and what was left out.
    """
    given = read(paths, columns)
    record = given.record
    if margin is None and share is None and record is not None:
        margin = record.margin
    notes = list(given.notes)
    if given.others and metric == "evaluation":
        notes.append("scores of CSV files are those that they end with, as docs/compare.md says")
    try:
        return compare(
            given.runs,
            question=record.question if record else None,
            baseline=baseline if baseline or not record else record.baseline,
            confidence=confidence or (record.confidence if record else 0.95),
            threshold=threshold if threshold is not None or not record else record.threshold,
            scores=record.scores if record else None,
            settings=record.settings if record else (),
            metric=metric,
            margin=margin,
            share=SHARE if share is None else share,
            notes=notes,
        )
    except FormatError as error:
        said = "".join(f"\n  {printable(note)}" for note in notes)
        raise FormatError(f"{error}{said}") from None


def _cell(
    table: Table,
    setting: str,
    task: str,
    scale: Scale,
    confidence: float,
    threshold: float | None,
    resamples: int,
) -> Cell:
    scores = [table.scores[setting, task]]
    raw = {name: STATISTICS[name] for name in ("mean", "median", "iqm")}
    found = aggregates.estimates(scores, raw, confidence, resamples)
    gap = {"optimality_gap": aggregates.optimality_gap}
    normalised = [scale.normalised(scores[0])]
    found |= aggregates.estimates(normalised, gap, confidence, resamples)
    against = table.scores.get((table.baseline, task))
    improvement = None
    if against is not None and setting != table.baseline:
        improvement = aggregates.probability_of_improvement(
            scores, [against], confidence, resamples
        )
    curves = table.curves(setting, task)
    everybody = table.task_curves(task)
    return Cell(
        setting,
        task,
        scores[0],
        found,
        improvement,
        float(np.mean([area(curve, *common_range(everybody)) for curve in curves]))
        if curves
        else None,
        reached(curves, threshold) if curves and threshold is not None else None,
        aggregates.profile_estimates(normalised, THRESHOLDS, confidence, resamples),
    )


def _overall(
    table: Table,
    setting: str,
    common: Sequence[str],
    scales: Mapping[str, Scale],
    confidence: float,
    resamples: int,
) -> Cell:
    ours = [scales[task].normalised(table.scores[setting, task]) for task in common]
    improvement = None
    if setting != table.baseline and table.has(table.baseline):
        theirs = [scales[task].normalised(table.scores[table.baseline, task]) for task in common]
        improvement = aggregates.probability_of_improvement(ours, theirs, confidence, resamples)
    return Cell(
        setting,
        OVERALL,
        np.sort(np.concatenate(ours)),
        aggregates.estimates(ours, STATISTICS, confidence, resamples),
        improvement,
        profile=aggregates.profile_estimates(ours, THRESHOLDS, confidence, resamples),
    )


def _cautions(table: Table, common: Sequence[str], scales: Mapping[str, Scale]) -> list[str]:
    """Remarks on what the numbers do not say by themselves."""
    found = []
    fewest = min(map(len, table.scores.values()))
    if fewest < 10:
        found.append(
            "the table's bootstrap intervals are too narrow for fewer than 10 seeds; verdicts use "
            "Student's intervals"
        )
    if len(table.tasks) > 1:
        if sources := dict.fromkeys(scales[task].source for task in common):
            found.append(f"over tasks, scores are normalised: {'; '.join(sources)}")
        if left := [task for task in table.compared() if task not in common]:
            found.append(f"not every setting has scores on {', '.join(left)}: left out over tasks")
    return found
