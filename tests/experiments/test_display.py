"""Displays of an experiment: a table that fits, lines in a pipe, JSON, and a lost terminal."""

import errno
import io
import json

import pytest
from rich.console import Console

from ppoc.experiments.display.display import JsonLines, PlainLines, summary
from ppoc.experiments.display.progress import Progress
from ppoc.experiments.display.table import LiveTable, fitting
from ppoc.experiments.display.view import Meter, RunView, View
from ppoc.runtime.run.meter import duration


def run(number, state="running", step=500, rate=None, **more):
    progress = Progress("", step, "return", 12.25) if step else None
    return RunView(f"run-{number}", state, progress, 1000, rate, **more)


def test_a_view_sums_its_runs_up():
    runs = [run(0, "finished", score=9.0), run(1, rate=100.0), run(2, "waiting", step=0)]
    view = View(runs, slots=2, seconds=1.0)
    assert view.fraction == pytest.approx((1000 + 500) / 3000)
    assert view.left == pytest.approx((500 + 1000) / 200)
    assert summary(view) == " 50%  1 finished, 1 running, 1 waiting  0:08 left"
    assert View([run(0, rate=10.0)], 8, 1.0).left == 50
    assert View([run(0), run(1, "failed")], 8, 1.0).left is None
    assert View([], 1, 0.0).fraction == 0

    # Of runs whose length nobody knows, whole runs count; stages before the last do not.
    unknown = [RunView("a", "finished", None, 0), RunView("b", "running", None, 0, rate=3.0)]
    assert (View(unknown, 1, 1.0).fraction, View(unknown, 1, 1.0).left) == (0.5, None)
    early = RunView("a", "running", Progress("sft", 90, "loss", 1.0), 100)
    assert (early.done, View([early], 1, 1.0).fraction) == (0, 0)
    assert RunView("a", "running", Progress("ppo", 90, "score", 1.0), 100).done == 90


def test_a_meter_measures_the_last_half_minute():
    meter = Meter()
    assert meter.rate is None
    for second in range(100):
        meter.note(float(second), 10 * second if second < 50 else 500 + 100 * (second - 50))
    assert meter.rate == pytest.approx(100)
    meter.note(101.0, 5)  # another stage begins
    assert meter.rate is None
    meter.note(103.0, 25)
    assert meter.rate == 10
    meter.note(104.0, 25)  # nothing new: it is no slower yet
    assert meter.rate == 10


def test_durations():
    assert [duration(seconds) for seconds in (0.2, 75, 3600)] == ["0:00", "1:15", "1:00:00"]


def test_lines_tell_of_each_end_once():
    file = io.StringIO()
    lines = PlainLines(file)
    lines.show(View([run(0, "finished", score=1.0), run(1, "waiting")], 1, 0.0))
    assert file.getvalue() == ""  # what was finished before is no news
    lines.show(View([run(0, "finished", score=1.0), run(1)], 1, 0.0))
    for _ in range(2):
        ended = run(1, "failed", reason="it\x1b[2J fell\nand more")
        lines.show(View([run(0, "finished", score=1.0), ended], 1, 0.0))
    lines.message("said\x1b[2J")
    assert file.getvalue().splitlines() == [
        " 75%  1 finished, 1 running",
        "[2/2] run-1: failed: it\\x1b[2J fell",
        "said\\x1b[2J",
    ]


def test_json_is_one_event_a_line():
    file = io.StringIO()
    lines = JsonLines(file)
    lines.show(View([run(0, rate=5.0), run(1, "failed", reason="it fell")], 1, 0.0))
    lines.message("said")
    events = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [(event["event"], event.get("run")) for event in events] == [
        ("run", "run-0"), ("run", "run-1"), ("update", "run-0"), ("message", None)
    ]  # fmt: skip
    assert events[1]["reason"] == "it fell"
    assert (events[2]["step"], events[2]["total"], events[2]["return"]) == (500, 1000, 12.25)
    assert (events[2]["steps_per_second"], events[2]["seconds_left"]) == (5.0, 100.0)


def test_a_table_shows_what_there_is_room_for():
    runs = [run(i, "waiting", step=0) for i in range(50)]
    runs[40], runs[30], runs[20] = run(40, rate=5.0), run(30, "failed"), run(20, "finished")
    assert [x.run for x in fitting(runs, 4)] == ["run-0", "run-30", "run-40"]
    assert fitting(runs, 50) == runs

    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, height=12, color_system=None)
    with LiveTable(console) as table:
        table.show(View(runs, 2, 0.0))
        table.message("said\x1b[2J")
    screen = file.getvalue()
    assert "run-40" in screen
    assert "500/1,000" in screen
    assert "12.2" in screen
    assert "said\\x1b[2J" in screen
    assert "1 finished, 1 running, 47 waiting, 1 failed" in screen
    assert "and 43 more" in screen


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, text):
        raise OSError(errno.EIO, "the terminal is gone")

    def flush(self):
        raise OSError(errno.EIO, "the terminal is gone")


def test_an_experiment_goes_on_without_its_terminal():
    console = Console(file=Gone(), force_terminal=True, width=100, height=12)
    for display in (PlainLines(Gone()), JsonLines(Gone()), LiveTable(console)):
        with display:
            for state in ("running", "finished"):
                display.show(View([run(0, state)], 1, 0.0))
            display.message("said")
