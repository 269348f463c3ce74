"""Runs of other libraries, read from CSV files that anybody may have made.

A table has a row for each run, or for each of its steps; the columns say what they hold
(`csv_names`), or the user does. Monitor files of Stable-Baselines3, and a chart's export of Weights
& Biases, have forms of their own.
"""

import csv
import io
import json
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ppoc.formats.reading import FormatError, open_regular
from ppoc.formats.text import printable
from ppoc.reporting.csv_names import COLUMNS, Named, of_path, places, run_columns
from ppoc.reporting.run import Array, Curve, Run, curve_of

LARGEST = 256 * 2**20  # bytes
LONGEST_LINE = 2**20  # characters, of wide tables too
MOST_ROWS = 5_000_000
MOST_POINTS = 20_000_000
MOST_RUNS = 10_000
WINDOW = 100  # episodes or points that a score is the mean of, as in Stable-Baselines3


class Header(NamedTuple):
    """The beginning of a file: a line of JSON, and the names of its columns."""

    facts: Mapping[str, object]
    columns: list[str]


@dataclass
class _Points:
    steps: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    times: "array[float]" = field(default_factory=lambda: array("d"))


def read_csv(path: Path, wanted: Mapping[str, str], notes: list[str]) -> list[Run]:
    """The runs in a file.

    Args:
        wanted: columns that the user names, by what they hold.
        notes: is told what was left out, and what stands for what.

    Raises:
        OSError, FormatError: it cannot be read, or is no such table; the text says why.
    """
    with _open(path) as file:
        rows = _rows(file)
        header = _header(rows)
        if header.columns[:3] == ["r", "l", "t"] and not wanted:
            raise FormatError("a monitor file, which `read_monitors` reads")
        wide = run_columns(header.columns, wanted)
        found = places(header.columns, {} if wide else wanted)
        if wide:
            points = _wide(rows, header.columns, wide, found.get("step", 0))
        elif "return" in found:
            points = _long(rows, found, of_path(path))
        else:
            known = ", ".join(COLUMNS["return"][:6])
            there = printable(", ".join(header.columns), 300)
            raise FormatError(
                f"no column is known to hold returns ({known}, …); it has {there}: name the "
                "columns with --columns setting=…,task=…,seed=…,step=…,return=…"
            )
    return _runs(path, points, "step" in found or bool(wide), notes)


def is_monitor(path: Path) -> bool:
    """Whether a file is one of Stable-Baselines3's Monitor."""
    try:
        with _open(path) as file:
            return _header(_rows(file)).columns[:3] == ["r", "l", "t"]
    except (OSError, FormatError):
        return False


def read_monitors(paths: Sequence[Path], notes: list[str]) -> Run:
    """The run of which each environment wrote one monitor file, `r,l,t` an episode.

    Episodes are joined in the order in which they ended. Steps are the sum of their lengths, and
    values the running mean of 100 of them.

    Raises:
        OSError, FormatError: a file cannot be read.
    """
    everything, task = _Points(), ""
    skipped = 0
    for path in paths:
        with _open(path) as file:
            rows = _rows(file)
            header = _header(rows)
            start = header.facts.get("t_start")
            start = float(start) if type(start) in (int, float) else 0.0  # type: ignore[arg-type]
            task = str(header.facts.get("env_id") or task)
            for row in rows:
                numbers = [_number(cell) for cell in row[:3]]
                if len(numbers) < 3 or not all(map(math.isfinite, numbers)) or numbers[1] < 0:
                    skipped += 1
                    continue
                everything.values.append(numbers[0])
                everything.steps.append(numbers[1])
                everything.times.append(start + numbers[2])
    named = of_path(paths[0], task)
    if skipped:
        notes.append(f"{paths[0]}: {skipped:,} lines are torn or no episodes")
    order = np.argsort(np.array(everything.times), kind="stable")
    returns = np.array(everything.values)[order]
    if not len(returns):
        return Run(str(paths[0]), *named, reason="it has no episode")
    steps = np.cumsum(np.array(everything.steps)[order])
    curve = Curve(steps, running_mean(returns))
    return Run(str(paths[0]), *named, score=float(curve.values[-1]), curve=curve)


def running_mean(values: Array, window: int = WINDOW) -> Array:
    """Mean [n] of the last `window` values [n] up to each, or of as many as there are."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - window, 0)
    return np.asarray((sums[ends] - sums[begins]) / (ends - begins))


def _runs(
    path: Path, points: Mapping[Named, _Points], stepped: bool, notes: list[str]
) -> list[Run]:
    runs = []
    for named, found in points.items():
        name = f"{path}: {', '.join(str(part) for part in named if part not in ('', None))}"
        if len(found.values) == 1:
            value = found.values[0]
            score = value if math.isfinite(value) else None
            runs.append(
                Run(
                    name,
                    *named,
                    score=score,
                    reason="its return is no number" if score is None else None,
                )
            )
            continue
        if not stepped:
            raise FormatError(
                f"{printable(name, 200)} has {len(found.values):,} rows, and no column says their "
                "steps: name it with --columns step=…, or seed=… if they are of several runs"
            )
        curve = curve_of(found.steps, found.values)
        lost = len(found.values) - (0 if curve is None else len(curve.steps))
        if lost:
            notes.append(f"{name}: {lost:,} of {len(found.values):,} points are no numbers")
        runs.append(Run(name, *named, score=_last(curve), curve=curve))
    return runs


def _last(curve: Curve | None) -> float | None:
    """The score of a curve: the mean of its last tenth, at most 100 points."""
    if curve is None:
        return None
    return float(curve.values[-max(1, min(WINDOW, len(curve.values) // 10)) :].mean())


def _long(rows: Iterator[list[str]], found: Mapping[str, int], path: Named) -> dict[Named, _Points]:
    """Points of the runs of a table with a row for each run, or for each step of it."""
    points: dict[Named, _Points] = {}
    last = max(found.values())
    for row in rows:
        if len(row) <= last:
            continue
        seed = row[found["seed"]].strip() if "seed" in found else ""
        named = Named(
            row[found["setting"]] if "setting" in found else path.setting,
            row[found["task"]] if "task" in found else path.task,
            int(float(seed)) if _is_whole(seed) else path.seed,
        )
        if named not in points and len(points) >= MOST_RUNS:
            raise FormatError(f"it has more than {MOST_RUNS:,} runs")
        into = points.setdefault(named, _Points())
        into.steps.append(_number(row[found["step"]]) if "step" in found else 0.0)
        into.values.append(_number(row[found["return"]]))
    return points


def _wide(
    rows: Iterator[list[str]], columns: Sequence[str], runs: Mapping[int, Named], step: int
) -> dict[Named, _Points]:
    """Points of the runs of a table with a column for each run; an empty cell is no point."""
    if len(runs) > MOST_RUNS:
        raise FormatError(f"it has more than {MOST_RUNS:,} runs")
    points: dict[Named, _Points] = {}
    for number, row in enumerate(rows):
        if number * len(runs) > MOST_POINTS:
            raise FormatError(f"it has more than {MOST_POINTS:,} points")
        if len(row) != len(columns):
            continue
        for place, named in runs.items():
            if row[place].strip():
                into = points.setdefault(named, _Points())
                into.steps.append(_number(row[step]))
                into.values.append(_number(row[place]))
    return points


def _open(path: Path) -> io.TextIOWrapper:
    file = open_regular(path, LARGEST, follow=True)
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")


def _rows(file: io.TextIOWrapper) -> Iterator[list[str]]:
    """Rows of a table; the first may be a comment, which is one field."""
    first = file.readline(LONGEST_LINE)
    tabs = first.count("\t") > first.count(",")
    if first.startswith("#"):
        yield [first]
        first = file.readline(LONGEST_LINE)

    def lines() -> Iterator[str]:
        yield first
        while line := file.readline(LONGEST_LINE):
            if "\0" not in line:
                yield line

    try:
        for number, row in enumerate(csv.reader(lines(), delimiter="\t" if tabs else ",")):
            if number > MOST_ROWS:
                raise FormatError(f"it has more than {MOST_ROWS:,} rows")
            if row:
                yield row
    except csv.Error as error:
        raise FormatError(f"it is no table: {error}") from None


def _header(rows: Iterator[list[str]]) -> Header:
    first = next(rows, [""])
    facts: Mapping[str, object] = {}
    if first[0].startswith("#"):
        try:
            found = json.loads(first[0][1:])
        except (ValueError, RecursionError):
            found = None
        facts = found if isinstance(found, dict) else {}
        first = next(rows, [""])
    columns = [name.strip() for name in first]
    if "\0" in "".join(columns) or not any(columns):
        raise FormatError("it does not begin with the names of columns")
    return Header(facts, columns)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_whole(text: str) -> bool:
    number = _number(text)
    return math.isfinite(number) and number == int(number) and abs(number) < 2**63
