"""A comparison for programs and papers: as a JSON document, as CSV, as a table in LaTeX."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ppoc.formats.text import printable
from ppoc.reporting.aggregates import Estimate
from ppoc.reporting.comparison import OVERALL, THRESHOLDS, Cell, Comparison
from ppoc.reporting.words import number

FORMAT = 1
COLUMNS = ("setting", "task", "statistic", "value", "low", "high", "runs")
ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "–": "--",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def document(found: Comparison) -> dict[str, Any]:
    """All of a comparison, as JSON has it."""
    return {
        "format": FORMAT,
        "question": found.question,
        "answer": found.verdict.split("\n"),
        "metric": found.metric,
        "confidence": found.confidence,
        "threshold": found.threshold,
        "baseline": found.table.baseline,
        "settings": list(found.table.settings),
        "tasks": list(found.table.tasks),
        "tasks_joined": list(found.common) if len(found.table.tasks) > 1 else [],
        "scales": {task: asdict(scale) for task, scale in found.scales.items()},
        "verdicts": [
            {**asdict(verdict), "text": verdict.text()}
            for verdict in (*found.verdicts, *found.by_task)
        ],
        "results": [_cell(cell) for cell in found.cells],
        "runs": [
            {"name": run.name, "setting": run.setting, "task": run.task, "seed": run.seed}
            for run in found.table.runs
        ],
        "notes": list(found.notes),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    row: dict[str, Any] = {
        "setting": cell.setting,
        "task": cell.task,
        "overall": cell.task == OVERALL,
        "scores": cell.scores.tolist(),
        **{name: value._asdict() for name, value in cell.statistics.items()},
        "probability_of_improvement": cell.improvement._asdict() if cell.improvement else None,
        "area_under_curve": cell.auc,
        "steps_to_threshold": None,
        "performance_profile": None,
    }
    if cell.reached is not None:
        row["steps_to_threshold"] = {
            "reached": cell.reached.arrived,
            "runs": len(cell.reached.steps),
            "median": cell.reached.median,
            "steps": cell.reached.steps,
        }
    if cell.profile is not None:
        shares, (low, high) = cell.profile
        row["performance_profile"] = {
            "thresholds": THRESHOLDS.tolist(),
            "shares": shares.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
    return row


def csv_of(found: Comparison) -> str:
    """A row for each statistic of each setting on each task, and for each verdict."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell in found.cells:
        for name, value, low, high in _statistics(cell):
            row = [cell.setting, cell.task, name, value, low, high, len(cell.scores)]
            writer.writerow(["" if item is None else item for item in row])
    for verdict in (*found.verdicts, *found.by_task):
        task = OVERALL if verdict.task is None else verdict.task
        ends = (verdict.difference, verdict.low, verdict.high, verdict.seeds)
        writer.writerow([verdict.setting, task, f"difference: {verdict.outcome}", *ends])
    return buffer.getvalue()


def _statistics(cell: Cell) -> Iterator[tuple[str, float | None, float | None, float | None]]:
    for name, estimate in cell.statistics.items():
        yield name, *estimate
    if cell.improvement is not None:
        yield "probability_of_improvement", *cell.improvement
    if cell.auc is not None:
        yield "area_under_curve", cell.auc, None, None
    if cell.reached is not None:
        yield "runs_that_reached_threshold", cell.reached.arrived, None, None
        yield "median_steps_to_threshold", cell.reached.median, None, None
    if cell.profile is not None:
        shares, (low, high) = cell.profile
        for place, threshold in enumerate(THRESHOLDS):
            name = f"share_above_{threshold:.2f}"
            yield name, float(shares[place]), float(low[place]), float(high[place])


def latex_of(found: Comparison) -> str:
    """A table with rules of the package booktabs; a paper's preamble needs that package alone."""
    heads = ["Task", "Setting", "Runs", "Mean", "IQM", "Interval", "P(improvement)", "Verdict"]
    lines = [
        r"\begin{tabular}{llrrrlll}",
        r"\toprule",
        " & ".join(heads) + r" \\",
    ]
    verdicts = {(v.setting, v.task): v.outcome for v in (*found.verdicts, *found.by_task)}
    for task in (*found.table.tasks, OVERALL):
        cells = [cell for cell in found.cells if cell.task == task]
        if cells:
            lines.append(r"\midrule")
        for cell in cells:
            key = (cell.setting, None if task == OVERALL else task)
            lines.append(_latex_row(cell, verdicts.get(key, "")))
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_row(cell: Cell, outcome: str) -> str:
    iqm = cell.statistics["iqm"]
    cells: Sequence[str] = (
        cell.task,
        cell.setting,
        str(len(cell.scores)),
        number(cell.statistics["mean"].value),
        number(iqm.value),
        _interval(iqm),
        "–" if cell.improvement is None else f"{cell.improvement.value:.2f}",
        outcome or "baseline",
    )
    return " & ".join(map(escaped, cells)) + r" \\"


def _interval(estimate: Estimate) -> str:
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def escaped(text: str) -> str:
    """A text of others as LaTeX shows it: no command, no end of a row."""
    return "".join(ESCAPES.get(mark, mark) for mark in printable(text, 200))
