"""Is a run healthy? Symptoms are looked for in the metrics that an iteration has anyway.

The same monitor watches a run as it goes and reads the metrics of one that is over, so that both
say the same. What it looks for, from which sources and with which thresholds, is in `symptoms`.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ppoc.formats.documents import parse_document
from ppoc.formats.files import append_line, read_lines, write_whole
from ppoc.formats.reading import FormatError
from ppoc.runtime.health.findings import Finding
from ppoc.runtime.health.settings import Facts
from ppoc.runtime.health.symptom import Symptom
from ppoc.runtime.health.symptoms import SYMPTOMS
from ppoc.runtime.health.trend import Row, Trend
from ppoc.runtime.records import evaluations
from ppoc.runtime.records.metrics import read_metrics

FORMAT = 1
FILE = "health.jsonl"
LARGEST = 64 * 2**20  # bytes
Say = Callable[[str, Mapping[str, Any]], None]

RECOVERY = 10  # iterations without a symptom, before it may be reported again


class _State:
    """The monitor's memory of a symptom."""

    def __init__(self) -> None:
        self.streak = 0
        self.since = 0
        self.quiet = RECOVERY  # iterations without it
        self.needed = RECOVERY  # of which so many allow another report


class Monitor:
    """Watches iterations go by and reports each symptom once, and again only if it came back.

    What comes and goes is reported ever more rarely: after each report the symptom must be away for
    twice as long as before the last.
    """

    def __init__(
        self,
        trend: Trend,
        symptoms: Sequence[Symptom] = SYMPTOMS,
        evaluations: tuple[Trend, Sequence[Symptom]] | None = None,
    ) -> None:
        """A monitor for symptoms, the earlier of which cause the later.

        Args:
            trend: of a run that is yet to begin.
            evaluations: their trend, and symptoms of them; None where they are not looked at.
        """
        self.trend = trend
        self._iterations = _Watched(trend, symptoms)
        self._evaluations = _Watched(*evaluations) if evaluations else None
        names = [s.name for s in (*symptoms, *(evaluations[1] if evaluations else ()))]
        self.rank = {name: rank for rank, name in enumerate(dict.fromkeys(names))}
        """Symptom → its place among the causes."""

    def check(self, step: int, row: Row) -> list[Finding]:
        """Take in the metrics of the iteration that ended at `step`: what is newly wrong."""
        return self._iterations.check(step, row)

    def check_evaluation(self, step: int, row: Row) -> list[Finding]:
        """Take in an evaluation made at `step`: what is newly wrong."""
        if self._evaluations is None:
            return []
        return self._evaluations.check(step, {f"held_out_{name}": x for name, x in row.items()})


def agent_monitor(facts: Facts) -> Monitor:
    """The monitor of an agent's run."""
    components = facts.action_components
    total = facts.total_steps.get("train", 0)
    return Monitor(Trend(facts.settings, total=total, action_components=components))


class _Watched:
    """Symptoms of rows of one kind, and what is remembered of each."""

    def __init__(self, trend: Trend, symptoms: Sequence[Symptom]) -> None:
        self._trend = trend
        self._symptoms = [(s, _State()) for s in symptoms if s.fits(trend.settings)]

    def check(self, step: int, row: Row) -> list[Finding]:
        self._trend.take(step, row)
        found: list[Finding] = []
        for symptom, state in self._symptoms:
            if symptom.metric not in row or not symptom.shown(row, self._trend):
                state.streak = 0
                state.quiet += 1
                continue
            if state.streak == 0:
                state.since = step
            state.streak += 1
            if state.streak == symptom.patience and state.quiet >= state.needed:
                state.needed *= 2
                if all(finding.symptom != symptom.name for finding in found):
                    found.append(symptom.finding(state.since, row, self._trend))
            if state.streak >= symptom.patience:
                state.quiet = 0
        return found


class Watch:
    """The monitor of a run in its folder: what it finds is said, and kept in health.jsonl."""

    def __init__(
        self,
        folder: Path,
        monitor: Monitor,
        say: Say,
    ) -> None:
        """A watch over a run; `say` is told a line, and what is in it for programs to read."""
        self._folder = folder
        self._monitor = monitor
        self._say = say

    def resume(self, step: int, rollbacks: int) -> None:
        """Go on from a checkpoint at `step`: know what was seen, forget what will be seen again.

        Args:
            rollbacks: how often the run has gone back to a checkpoint.

        Raises:
            OSError: health.jsonl cannot be written.
        """
        for at, evaluation, row in history(self._folder, []):
            if at <= step:
                (self._monitor.check_evaluation if evaluation else self._monitor.check)(at, row)
        cut(self._folder, step, rollbacks)

    def check(self, step: int, row: Row) -> None:
        """Take in an iteration, and say what is newly wrong.

        Raises:
            OSError: health.jsonl cannot be written.
        """
        self._tell(self._monitor.check(step, row))

    def check_evaluation(self, step: int, row: Row) -> None:
        """Take in an evaluation, as `check` does an iteration; raises as it does."""
        self._tell(self._monitor.check_evaluation(step, row))

    def _tell(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            append(self._folder, "finding", finding.document())
            self._say(finding.line(), finding.document())


def history(folder: Path, notes: list[str]) -> Iterator[tuple[int, bool, dict[str, float]]]:
    """The rows of a run folder, in its order: steps, whether it is an evaluation, and numbers."""
    iterations = ((step, False, row) for step, row in read_metrics(folder / "metrics.csv", notes))
    evaluated = ((step, True, row) for step, row in evaluations.read(folder, notes))
    return heapq.merge(iterations, evaluated, key=lambda found: found[:2])


def append(folder: Path, event: str, document: Mapping[str, Any]) -> None:
    """Append a line to health.jsonl.

    Raises:
        OSError: it cannot be written.
    """
    line = json.dumps({"format": FORMAT, "event": event, **document}, ensure_ascii=False)
    append_line(folder / FILE, line)


def read(folder: Path) -> list[dict[str, Any]]:
    """The events in a folder's health.jsonl, without lines that are torn or not of this format.

    Raises:
        OSError: it cannot be read.
        FormatError: it is no regular file, or too large.
    """
    try:
        return list(_events(read_lines(folder / FILE, LARGEST)))
    except FileNotFoundError:
        return []


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            document = parse_document(line.encode())
        except FormatError:
            continue
        if document.get("format") == FORMAT:
            yield document


def cut(folder: Path, step: int, rollbacks: int) -> None:
    """Drop what a run that goes on from `step`, gone back so often, will meet again.

    Raises:
        OSError: the file cannot be read or written.
        FormatError: it is no regular file, or too large.
    """
    path = folder / FILE
    if not path.exists():
        return
    kept = [row for row in read(folder) if not _again(row, step, rollbacks)]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))


def _again(row: Mapping[str, Any], step: int, rollbacks: int) -> bool:
    """Whether what a line tells will come once more."""
    if row.get("event") == "finding":
        return _number(row, "step") > step
    # A divergence that the run has not gone back from yet; that it did, checkpoints know.
    return row.get("event") == "divergence" and _number(row, "rollbacks") >= rollbacks


def _number(row: Mapping[str, Any], name: str) -> float:
    """A number of a line, which may be anybody's; 0 where it is none."""
    value = row.get(name)
    return value if isinstance(value, int | float) else 0
