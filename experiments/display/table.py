"""The live table of an experiment's runs in a terminal."""

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ppoc.experiments.display.display import outcome, summary
from ppoc.experiments.display.view import RunView, View
from ppoc.formats.text import lines, printable
from ppoc.runtime.run.meter import duration

REFRESH_SECONDS = 0.25
AROUND = 4  # lines besides the rows: the head, the bar, the summary and one to spare
# Which runs are shown where there is no room for all, and in which colour.
STATES = {
    "running": "cyan",
    "failed": "red",
    "stopped": "yellow",
    "waiting": "dim",
    "finished": "green",
}


class LiveTable:
    """A table that renews itself: a row for each run, or for as many as there is room for."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._view = View([], 1, 0.0)
        self._drawn = -math.inf
        self._live: Live | None = Live(
            console=self._console, auto_refresh=False, get_renderable=self._render
        )

    @contextlib.contextmanager
    def _or_silent(self) -> Iterator[Live | None]:
        """Fall silent where the terminal is gone: the runs go on."""
        try:
            yield self._live
        except (OSError, ValueError):
            self._live = None

    def message(self, text: str) -> None:
        with self._or_silent() as live:
            if live is not None:
                live.console.print(lines(text), markup=False, highlight=False, emoji=False)

    def show(self, view: View) -> None:
        self._view = view
        now = time.monotonic()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._refresh()

    def _refresh(self) -> None:
        with self._or_silent() as live:
            if live is not None:
                live.refresh()

    def __enter__(self) -> Self:
        with self._or_silent() as live:
            if live is not None:
                live.start(refresh=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._refresh()
        with self._or_silent() as live:
            if live is not None:
                live.stop()

    def _render(self) -> Group:
        room = max(1, self._console.height - AROUND)
        shown = fitting(self._view.runs, room)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("run", no_wrap=True, overflow="ellipsis")
        table.add_column("state", no_wrap=True)
        for name in ("return", "steps", "steps/s", "left"):
            table.add_column(name, no_wrap=True, justify="right")
        for run in shown:
            table.add_row(*_cells(run))
        left = len(self._view.runs) - len(shown)
        more = [Text(f"and {left} more", "dim")] if left else []
        bar = ProgressBar(1.0, self._view.fraction)
        return Group(table, *more, bar, Text(summary(self._view), no_wrap=True))


def fitting(runs: Sequence[RunView], room: int) -> list[RunView]:
    """The runs that `room` rows show, in their order: all, or those that say most now."""
    if len(runs) <= room:
        return list(runs)
    order = {state: rank for rank, state in enumerate(STATES)}
    chosen = sorted(range(len(runs)), key=lambda i: order[runs[i].state])[: max(0, room - 1)]
    return [runs[i] for i in sorted(chosen)]


def _cells(run: RunView) -> list[Text]:
    what = run.progress.what if run.progress else ""
    value = run.score if run.score is not None else run.progress and run.progress.value
    known = run.total and run.done == run.step
    steps = f"{run.step:,}/{run.total:,}" if known else f"{run.step:,}"
    label = f" {what}" if what not in ("", "return") and run.score is None else ""
    ended = run.state in ("failed", "stopped")
    state = printable(outcome(run), 60) if ended else run.state
    stage = f" {run.progress.stage}" if run.progress and run.state == "running" else ""
    return [
        Text(printable(run.run, 100)),
        Text(f"{state}{stage}".rstrip(), STATES[run.state]),
        Text("–" if value is None else f"{value:,.1f}{label}"),
        Text(steps),
        Text("" if run.rate is None else f"{run.rate:,.0f}"),
        Text("" if run.left is None else duration(run.left)),
    ]
