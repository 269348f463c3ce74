"""Verdicts in plain words: better, worse, no difference that matters, or too little evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ppoc.reporting.differences import (
    MOST_SEEDS,
    Difference,
    difference,
    holm,
    least_seeds,
    seeds_needed,
)
from ppoc.reporting.scales import Scale
from ppoc.reporting.table import Table
from ppoc.reporting.words import number, percent, signed

Outcome = Literal["better", "worse", "no difference that matters", "too little evidence"]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a setting against the baseline, on a task or over several.

    Attributes:
        task: None over several; then differences are of normalised scores.
        low, high: the interval of the difference, at `level`.
        p: of no difference, before the correction.
        level: at which the difference is judged, after it.
        margin: the least difference that matters.
        seeds: of the setting or the baseline, on the task with the fewest.
        more: seeds that each would need besides, about; None where that is beyond hope, or where
            nothing is open.
    """

    setting: str
    baseline: str
    task: str | None
    outcome: Outcome
    difference: float
    low: float
    high: float
    p: float
    level: float
    margin: float
    seeds: int
    more: int | None = None

    def text(self) -> str:
        """The verdict in a sentence or two."""
        found = self._interval()
        where = " over all tasks" if self.task is None else f" on {self.task}"
        where = where if self.task != "" else ""
        if self.outcome in ("better", "worse"):
            return f"{self.setting} is {self.outcome} than {self.baseline}{where}: {found}"
        if self.outcome == "no difference that matters":
            return (
                f"{self.setting} makes no difference that matters to {self.baseline}{where}: "
                f"{found}; {number(self.margin)} would matter"
            )
        if self.seeds == 0:
            return f"nothing is known about {self.setting}{where}: {found}"
        return f"too little evidence on {self.setting}{where}: {found}; {self._needed()}"

    def _interval(self) -> str:
        share = percent(1 - self.level)
        unit = " of the tasks' range" if self.task is None else ""
        ends = f"{signed(self.low)} to {signed(self.high)}"
        if self.seeds == 0:
            return "it has no scores that could be compared"
        if not np.isfinite(self.low):
            return f"{signed(self.difference)}{unit}, from a single seed"
        return f"{signed(self.difference)}{unit} ({share} interval {ends}, {self.seeds} seeds)"

    def _needed(self) -> str:
        least = least_seeds(self.level)
        if self.seeds < 2:
            return f"each needs {least} seeds at least for any claim"
        if self.more is None:
            return f"more than {MOST_SEEDS:,} seeds would be needed to tell"
        few = self.seeds < least
        start = f"each needs {least} seeds at least for any claim, and " if few else ""
        return f"{start}about {self.more} more seed{'' if self.more == 1 else 's'} of each may tell"


def judge(
    table: Table, common: Sequence[str], scales: Mapping[str, Scale], confidence: float
) -> tuple[list[Verdict], list[Verdict]]:
    """Verdicts over the common tasks, and where there are several tasks, on each.

    All claims together are false with a probability of at most 1 − confidence. Where there are
    several tasks, half of it is for the claims over all of them and half for those on single ones;
    within a half, Holm's method shares it out.
    """
    apart = {table.baseline, *table.apart()}
    others = [setting for setting in table.settings if setting not in apart]
    tasks = table.compared() or table.tasks[:1]
    level = 1 - confidence
    several = len(tasks) > 1
    joint = [
        _Pair(name, None, common) if several else _Pair(name, tasks[0], tasks) for name in others
    ]
    found = _family(table, joint, scales, level / 2 if several else level)
    if not several:
        return found, []
    single = [_Pair(setting, task, [task]) for task in tasks for setting in others]
    return found, _family(table, single, scales, level / 2)


@dataclass(frozen=True)
class _Pair:
    setting: str
    task: str | None
    tasks: Sequence[str]


def _family(
    table: Table, pairs: Sequence[_Pair], scales: Mapping[str, Scale], level: float
) -> list[Verdict]:
    found = [_difference(table, pair, scales) for pair in pairs]
    p_values = [one.p_value() if one else 1.0 for one in found]
    levels = holm(p_values, level)
    return [
        _verdict(table, pair, scales, one, p, own, level / len(pairs))
        for pair, one, p, own in zip(pairs, found, p_values, levels, strict=True)
    ]


def _difference(table: Table, pair: _Pair, scales: Mapping[str, Scale]) -> Difference | None:
    places = [(name, task) for name in (pair.setting, table.baseline) for task in pair.tasks]
    if not places or any(place not in table.scores for place in places):
        return None
    ours, theirs = (
        [table.scores[name, task] for task in pair.tasks] for name in (pair.setting, table.baseline)
    )
    units = [1.0 if pair.task is not None else scales[task].width for task in pair.tasks]
    return difference(ours, theirs, units)


def _verdict(
    table: Table,
    pair: _Pair,
    scales: Mapping[str, Scale],
    found: Difference | None,
    p: float,
    level: float,
    cautious: float,
) -> Verdict:
    """The verdict on a difference.

    That a difference does not matter is claimed by the widest interval of the family, at the level
    `cautious`: Holm's smaller steps are for differences alone.
    """
    margins = [
        scales[task].matters / (1.0 if pair.task is not None else scales[task].width)
        for task in pair.tasks
    ]
    margin = float(np.mean(margins)) if margins else 0.0
    about = (pair.setting, table.baseline, pair.task)
    if found is None:
        inf = float("inf")
        return Verdict(*about, "too little evidence", 0.0, -inf, inf, 1.0, level, margin, 0)
    half, wide = found.half_width(level), found.half_width(cautious)
    outcome: Outcome = "too little evidence"
    more = None
    if found.seeds >= 2 and found.fewest <= cautious and abs(found.value) + wide <= margin:
        outcome = "no difference that matters"
    elif found.value and p <= level:
        outcome = "better" if found.value > 0 else "worse"
    else:
        wanted = seeds_needed(found, level, margin)
        more = None if wanted is None else wanted - found.seeds
    low, high = found.value - half, found.value + half
    return Verdict(*about, outcome, found.value, low, high, p, level, margin, found.seeds, more)


def answer(
    question: str | None,
    verdicts: Sequence[Verdict],
    by_task: Sequence[Verdict],
    table: Table | None = None,
) -> list[str]:
    """The answer: the question in the first line, a line for each setting, then for each task.

    Settings of the table that share no task with the baseline are named in the last line.
    """
    if table is not None and not table.has(table.baseline):
        why = f"nothing can be compared: the baseline {table.baseline} has no score"
        return [f"{question} {why}" if question else why]
    apart = _apart(table) if table is not None else []
    if not verdicts:
        return [*([question] if question else []), *(apart or _alone(table))]
    lines = [verdict.text() for verdict in verdicts]
    if question:
        lines[:1] = (
            [f"{question} {lines[0]}"]
            if len(lines) == 1
            else [
                f"{question} {_in_short(verdicts)}",
                lines[0],
            ]
        )
    claims = [verdict for verdict in by_task if verdict.outcome != "too little evidence"]
    for setting in dict.fromkeys(verdict.setting for verdict in by_task):
        own = [verdict for verdict in claims if verdict.setting == setting]
        if {"better", "worse"} <= {verdict.outcome for verdict in own}:
            lines.append(f"the tasks disagree about {setting}:")
        lines += [f"  {verdict.text()}" for verdict in own]
    return lines + apart


def _alone(table: Table | None) -> list[str]:
    """Mean scores of the only setting."""
    scores = table.scores.items() if table is not None else ()
    means = [
        f"mean score {number(float(np.mean(values)))}{f' on {task}' if task else ''} "
        f"({len(values)} seed{'' if len(values) == 1 else 's'})"
        for (_, task), values in scores
    ]
    return [*means, "one setting alone is compared with nothing"]


def _apart(table: Table) -> list[str]:
    """A line on the settings that share no task with the baseline."""
    if not (names := table.apart()):
        return []
    verb = "is" if len(names) == 1 else "are"
    why = f"not compared with {table.baseline}: no task has scores of both"
    return [f"{', '.join(names)} {verb} {why}"]


def _in_short(verdicts: Sequence[Verdict]) -> str:
    """All verdicts in a line, such as `better than plain: entropy; too little evidence on trpo`."""
    against = verdicts[0].baseline
    words = {
        "better": f"better than {against}: ",
        "worse": f"worse than {against}: ",
        "no difference that matters": f"no difference that matters to {against}: ",
        "too little evidence": "too little evidence on ",
    }
    parts = []
    for outcome, start in words.items():
        own = [verdict for verdict in verdicts if verdict.outcome == outcome]
        if names := [verdict.setting for verdict in own if verdict.seeds]:
            parts.append(start + ", ".join(names))
        if names := [verdict.setting for verdict in own if not verdict.seeds]:
            parts.append("nothing is known about " + ", ".join(names))
    return "; ".join(parts)
