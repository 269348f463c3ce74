"""Progress of a run: a live display in a terminal, plain or JSON lines elsewhere, or nothing.

Everything goes to standard error except the JSON lines, which are for programs to read.
"""

import contextlib
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, Self, TextIO

from ppoc.formats import streams
from ppoc.formats.text import lines, shortened
from ppoc.runtime.run.meter import Meter

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Mode = Literal["auto", "rich", "plain", "quiet", "json"]

REFRESH_SECONDS = 1 / 8
PLAIN_SECONDS = 5.0

# Metric, what it is called on screen, and its format, of constant width so that nothing jumps.
SHOWN = (
    ("episode_return", "return", ",.1f"),
    ("loss", "loss", ".3f"),
    ("accuracy", "accuracy", ".2f"),
    ("score", "score", "+.2f"),
    ("kl_to_reference", "KL to reference", ".2f"),
    ("approx_kl", "KL", ".4f"),
    ("entropy", "entropy", ".3f"),
    ("clip_fraction", "clipped", ".3f"),
    ("explained_variance", "expl. variance", ".3f"),
)


class Progress(Protocol):
    """A context manager that shows how a run goes while it is open."""

    def message(self, text: str, health: Mapping[str, object] | None = None) -> None:
        """Say something that stays on the screen; of a finding, `health` has all there is."""

    def update(self, step: int, metrics: Mapping[str, float], tokens: int = 0) -> None:
        """Show the state at `step`, if it is time to draw again; `tokens`: of the last of them."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


def progress(
    mode: Mode,
    total_steps: int,
    start_step: int = 0,
    *,
    unit: str = "steps",
    stage: str | None = None,
) -> Progress:
    """The progress of a run from `start_step` to `total_steps`.

    `auto` is `rich` where that is installed and standard error is a terminal, else `plain`.

    Args:
        unit: what a step is: environment steps are just that.
        stage: the stage of a run that has several.
    """
    return Unattended(_display(mode, Meter(total_steps, start_step, unit), stage))


def _display(mode: Mode, meter: Meter, stage: str | None) -> Progress:
    if mode == "auto":
        mode = "rich" if streams.is_terminal(sys.stderr) and find_spec("rich") else "plain"
    if mode == "rich":
        from rich.console import Console

        return RichProgress(meter, Console(stderr=True))
    if mode == "plain":
        return PlainProgress(meter, sys.stderr)
    return JsonProgress(streams.results(), stage, meter.unit) if mode == "json" else QuietProgress()


class Unattended:
    """A display that falls silent when its terminal or its pipe is gone: training goes on."""

    def __init__(self, display: Progress) -> None:
        self._display = display

    @contextlib.contextmanager
    def _or_silent(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # a broken pipe, a lost terminal, or a closed file
            self._display = QuietProgress()

    def message(self, text: str, health: Mapping[str, object] | None = None) -> None:
        with self._or_silent():
            self._display.message(text, health)

    def update(self, step: int, metrics: Mapping[str, float], tokens: int = 0) -> None:
        with self._or_silent():
            self._display.update(step, metrics, tokens)

    def __enter__(self) -> Self:
        with self._or_silent():
            self._display.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        with self._or_silent():
            self._display.__exit__(*error)


class RichProgress:
    """Two lines that renew themselves: how far, and how well."""

    def __init__(self, meter: Meter, console: "Console") -> None:
        from rich.live import Live

        self._meter = meter
        self._metrics: Mapping[str, float] = {}
        # No refresh thread: it would take time from the training, which calls often enough.
        self._live = Live(console=console, auto_refresh=False, get_renderable=self._render)
        self._drawn = -math.inf

    def message(self, text: str, health: Mapping[str, object] | None = None) -> None:
        self._live.console.print(lines(text), markup=False, highlight=False, emoji=False)

    def update(self, step: int, metrics: Mapping[str, float], tokens: int = 0) -> None:
        now = time.perf_counter()
        self._meter.advance(step, now, tokens)
        self._metrics = metrics
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._live.refresh()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        share, steps, rate, left = self._meter.texts()
        bar = ProgressBar(self._meter.total_steps, self._meter.step)
        line = Table.grid(padding=(0, 2), expand=True)
        line.add_column(ratio=1, min_width=8)
        for _ in range(4):
            line.add_column(no_wrap=True)
        line.add_row(bar, share, steps, Text(rate, "cyan"), Text(left, "dim"))
        values = [
            Text.assemble((f"{label} ", "dim"), (value, "bold"))
            for label, value in _shown(self._metrics)
        ]
        return Group(line, Text("  ").join(values))


class PlainProgress:
    """A line every few seconds, and a last one at the end."""

    def __init__(self, meter: Meter, file: TextIO) -> None:
        self._meter = meter
        self._file = file
        self._metrics: Mapping[str, float] = {}
        self._written_at = -math.inf
        self._written_step = meter.step

    def message(self, text: str, health: Mapping[str, object] | None = None) -> None:
        self._file.write(f"{lines(text)}\n")  # in one piece: another thread may write too
        self._file.flush()

    def update(self, step: int, metrics: Mapping[str, float], tokens: int = 0) -> None:
        now = time.perf_counter()
        self._meter.advance(step, now, tokens)
        self._metrics = metrics
        if now - self._written_at >= PLAIN_SECONDS:
            self._written_at = now
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._written_step != self._meter.step:
            self._write()

    def _write(self) -> None:
        self._written_step = self._meter.step
        metrics = [f"{label} {value}" for label, value in _shown(self._metrics)]
        parts = [text for text in (*self._meter.texts(), *metrics) if text]
        self.message("  ".join(parts))


class JsonProgress:
    """One JSON object a line: `{"event": "update", "step": …, …}`, or a `message` or `health`.

    Of a run with stages, each has its `stage`, and updates have the `unit` of their steps and the
    `tokens` of the last of them.
    """

    def __init__(self, file: TextIO, stage: str | None = None, unit: str = "steps") -> None:
        self._file = file
        self._stage = {} if stage is None else {"stage": stage}
        self._unit = unit

    def message(self, text: str, health: Mapping[str, object] | None = None) -> None:
        if health is not None:
            self._write({**health, **self._stage, "event": "health"})
        else:
            self._write({"event": "message", **self._stage, "text": shortened(text)})

    def update(self, step: int, metrics: Mapping[str, float], tokens: int = 0) -> None:
        # JSON has no NaN: a metric without a value yet is null.
        finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        counts = {"unit": self._unit, "tokens": tokens} if self._stage else {}
        self._write({"event": "update", **self._stage, "step": step, **counts, **finite})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def _write(self, row: Mapping[str, object]) -> None:
        self._file.write(json.dumps(row, allow_nan=False) + "\n")
        self._file.flush()


class QuietProgress:
    """Shows nothing."""

    def message(self, text: str, health: Mapping[str, object] | None = None) -> None:
        pass

    def update(self, step: int, metrics: Mapping[str, float], tokens: int = 0) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def _shown(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    return [
        (label, format(metrics[name], form) if math.isfinite(metrics[name]) else "–")
        for name, label, form in SHOWN
        if name in metrics
    ]
