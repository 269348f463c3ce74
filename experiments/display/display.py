"""The display of an experiment: a live table, plain lines, JSON lines, or nothing.

Everything goes to standard error except the JSON lines, which are for programs to read.
"""

import json
import sys
import time
from importlib.util import find_spec
from typing import Literal, Protocol, Self, TextIO

from ppoc.experiments.display.view import RunView, View
from ppoc.formats import streams
from ppoc.formats.experiment import State
from ppoc.formats.text import lines, printable, shortened
from ppoc.runtime.run.meter import duration

Mode = Literal["auto", "rich", "plain", "quiet", "json"]
PLAIN_SECONDS = 10.0
JSON_SECONDS = 1.0
STATES: tuple[State, ...] = ("finished", "running", "waiting", "failed", "stopped")


class Display(Protocol):
    """A context manager that shows how an experiment goes while it is open."""

    def message(self, text: str) -> None:
        """Say something that stays on the screen."""

    def show(self, view: View) -> None:
        """Show the state of all runs, if it is time to."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


def display(mode: Mode) -> Display:
    """The display of a mode; `auto` is `rich` on a terminal, and else `plain`."""
    if mode == "auto":
        mode = "rich" if streams.is_terminal(sys.stderr) and find_spec("rich") else "plain"
    if mode == "rich":
        from ppoc.experiments.display.table import LiveTable

        return LiveTable()
    if mode == "plain":
        return PlainLines(sys.stderr)
    return JsonLines(streams.results()) if mode == "json" else Quiet()


class Lines:
    """Lines to a file, until nobody reads them any more: the experiment goes on."""

    def __init__(self, file: TextIO) -> None:
        self._file: TextIO | None = file
        self._states: dict[str, str] = {}
        self._shown = 0.0

    def _write(self, line: str) -> None:
        try:
            if self._file is not None:
                self._file.write(f"{line}\n")
                self._file.flush()
        except (OSError, ValueError):  # a broken pipe, a lost terminal, or a closed file
            self._file = None

    def _changed(self, view: View) -> list[RunView]:
        """Runs whose state is another than when this was asked last."""
        found = [run for run in view.runs if self._states.get(run.run) != run.state]
        self._states = {run.run: run.state for run in view.runs}
        return found

    def _due(self, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._shown < seconds:
            return False
        self._shown = now
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class PlainLines(Lines):
    """A line when a run ends, and one on all of them every few seconds."""

    def message(self, text: str) -> None:
        self._write(lines(text))

    def show(self, view: View) -> None:
        for run in self._changed(view):
            if run.state not in ("waiting", "running") and self._shown:
                ended = len(view.runs) - view.counts["waiting"] - view.counts["running"]
                self._write(printable(f"[{ended}/{len(view.runs)}] {run.run}: {outcome(run)}"))
        if view.counts["running"] and self._due(PLAIN_SECONDS):
            self._write(summary(view))


class JsonLines(Lines):
    """One JSON object a line: an `update` or a change of `state` of a run, or a `message`."""

    def message(self, text: str) -> None:
        self._write(json.dumps({"event": "message", "text": shortened(text)}))

    def show(self, view: View) -> None:
        for run in self._changed(view):
            row = {"state": run.state, "score": run.score, "reason": run.reason}
            self._write(json.dumps({"event": "run", "run": run.run, **row}))
        if not self._due(JSON_SECONDS):
            return
        for run in view.runs:
            if run.state == "running" and run.progress is not None:
                stage, step, what, value = run.progress
                row = {"stage": stage, "step": step, "total": run.total, what or "value": value}
                row |= {"steps_per_second": run.rate, "seconds_left": run.left}
                self._write(json.dumps({"event": "update", "run": run.run, **row}))


class Quiet:
    """Shows nothing."""

    def message(self, text: str) -> None:
        pass

    def show(self, view: View) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def outcome(run: RunView) -> str:
    """How a run has ended, in a line."""
    if run.state == "finished":
        return "finished" if run.score is None else f"finished, score {run.score:,.1f}"
    first = (run.reason or "").partition("\n")[0]
    return f"{run.state}: {first}" if first else run.state


def summary(view: View) -> str:
    """All runs in a line."""
    counts = [f"{view.counts[state]} {state}" for state in STATES if view.counts[state]]
    left = [] if view.left is None else [f"{duration(view.left)} left"]
    return "  ".join([f"{view.fraction:4.0%}", ", ".join(counts), *left])
