"""The output of each mode, and that drawing is rare."""

import csv
import io
import itertools
import json
import math
import sys
import time

import pytest
from rich.console import Console

from ppoc.runtime.run import progress as module
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.meter import Meter
from ppoc.runtime.run.progress import JsonProgress, PlainProgress, RichProgress, progress

METRICS = {
    "episode_return": -1234.5678,
    "approx_kl": 0.01234,
    "entropy": 5.2,
    "clip_fraction": 0.112,
    "explained_variance": 0.87,
    "policy_loss": 1.0,
}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(module.time, "perf_counter", lambda: Clock.now)
    return Clock


def test_rate_leaves_out_the_time_before_the_first_update():
    meter = Meter(10_000)
    meter.advance(1000, now=60.0)
    assert meter.rate is None
    assert meter.texts() == (" 10%", "1,000/10,000", "", "")
    meter.advance(3000, now=61.0)
    assert meter.rate == pytest.approx(2000)
    assert meter.texts() == (" 30%", "3,000/10,000", "2,000 steps/s", "0:04 left")


def test_what_is_counted_is_said_and_tokens_too():
    meter = Meter(4096, unit="answers")
    meter.advance(128, 0.0, 1000)
    assert meter.texts() == ("  3%", "128/4,096 answers", "", "")
    meter.advance(256, 40.0, 20_000)
    rate = "3.2 answers/s  500 tokens/s"
    assert meter.texts() == ("  6%", "256/4,096", rate, "20:00 left")


def test_json_of_a_stage_says_which_and_what_it_counts(capsys):
    with progress("json", 100, unit="updates", stage="sft") as display:
        display.message("hello")
        display.message("line", {"symptom": "overfit"})
        display.update(10, {"loss": 0.5}, 320)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"event": "message", "stage": "sft", "text": "hello"},
        {"event": "health", "stage": "sft", "symptom": "overfit"},
        {"event": "update", "stage": "sft", "step": 10, "unit": "updates", "tokens": 320}
        | {"loss": 0.5},
    ]


def test_rate_forgets_the_past():
    meter = Meter(10**9)
    for second in range(61):
        meter.advance(meter.step + (100 if second < 30 else 1000), now=second)
    assert 950 < meter.rate < 1000


def test_resumed_run_starts_where_it_was():
    meter = Meter(1000, start_step=600)
    assert meter.fraction == pytest.approx(0.6)
    meter.advance(700, 0.0)
    meter.advance(800, 1.0)
    assert meter.rate == pytest.approx(100)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36_061, "10:01:01")]
)
def test_durations(seconds, text):
    meter = Meter(1)
    meter.advance(0, 0.0)
    meter.advance(1, seconds)
    meter.total_steps = 2
    assert meter.texts()[3] == f"{text} left"


@pytest.mark.parametrize("width", [80, 120])
def test_rich_fits_two_lines(width, clock):
    console = Console(file=io.StringIO(), width=width)
    display = RichProgress(Meter(1_000_000), console)
    display.update(300_000, METRICS)
    clock.now += 15
    display.update(458_752, METRICS)
    with console.capture() as capture:
        console.print(display._render())
    first, second = capture.get().splitlines()
    assert first.endswith("458,752/1,000,000  10,583 steps/s  0:51 left")
    assert len(first) == width
    assert second == (
        "return -1,234.6  KL 0.0123  entropy 5.200  clipped 0.112  expl. variance 0.870"
    )


def test_rich_messages_are_not_markup():
    out = io.StringIO()
    with RichProgress(Meter(10), Console(file=out, force_terminal=True)) as display:
        display.message("compiling [the] update")
    assert "compiling [the] update" in out.getvalue()


def test_rich_draws_at_most_eight_times_a_second(clock):
    out = io.StringIO()
    drawn = 0
    with RichProgress(Meter(10_000), Console(file=out, force_terminal=True)) as display:
        for step in range(1000):
            clock.now += 0.002
            before = out.tell()
            display.update(step, METRICS)
            drawn += out.tell() != before
    assert 10 <= drawn <= 17


def test_plain_writes_a_line_every_few_seconds_and_the_last(clock):
    out = io.StringIO()
    with PlainProgress(Meter(1000), out) as display:
        display.message("hello")
        for step in range(100, 1000, 100):
            clock.now += 2
            display.update(step, {"episode_return": math.nan} if step == 100 else METRICS)
    lines = out.getvalue().splitlines()
    assert lines[0] == "hello"
    assert lines[1] == " 10%  100/1,000  return –"
    assert [line.split()[0] for line in lines[1:]] == ["10%", "40%", "70%", "90%"]
    assert lines[2].split("  ")[1:] == [
        "400/1,000",
        "50 steps/s",
        "0:12 left",
        "return -1,234.6",
        "KL 0.0123",
        "entropy 5.200",
        "clipped 0.112",
        "expl. variance 0.870",
    ]


def test_json_has_every_update_and_no_nan():
    out = io.StringIO()
    with JsonProgress(out) as display:
        display.message("hello")
        display.update(10, {"episode_return": math.nan, "approx_kl": 0.5})
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"event": "message", "text": "hello"},
        {"event": "update", "step": 10, "episode_return": None, "approx_kl": 0.5},
    ]


@pytest.mark.parametrize(
    ("mode", "stdout", "stderr"),
    [("quiet", "", ""), ("json", "hello", ""), ("auto", "", "hello"), ("rich", "", "hello")],
)
def test_modes_write_where_they_should(mode, stdout, stderr, capsys):
    with progress(mode, 100) as display:
        display.message("hello")
        display.update(10, METRICS)
    captured = capsys.readouterr()
    assert stdout in captured.out
    assert stderr in captured.err
    assert bool(captured.out) == bool(stdout)
    assert bool(captured.err) == bool(stderr)


class Broken(io.StringIO):
    """A pipe whose reader goes away after some lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines

    def write(self, text):
        self.left -= 1
        if self.left < 0:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)


@pytest.mark.parametrize("mode", ["plain", "json", "rich"])
@pytest.mark.parametrize("lines", range(4))
def test_a_display_whose_reader_is_gone_falls_silent(mode, lines, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(lines))
    monkeypatch.setattr(sys, "stdout", Broken(lines))
    with progress(mode, 100) as display:
        display.message("a")
        display.update(10, {"episode_return": 1.0})
        display.message("b")
        display.update(100, {"episode_return": 2.0})


def test_a_clock_that_is_set_back_changes_no_rate(tmp_path, module_of, monkeypatch):
    """Rates are of the monotonic clock; that on the wall only dates TensorBoard's events."""
    wall = itertools.count(2e9, -3600)
    monkeypatch.setattr(time, "time", lambda: next(wall))
    trained = module_of("ppo/cartpole", "training={total_steps: 1280, compile: never}")
    execute(trained, tmp_path, mode="plain")
    with (tmp_path / "metrics.csv").open() as file:
        rates = [float(row["steps_per_second"]) for row in csv.DictReader(file)]
    assert len(rates) == 5
    assert all(10 < rate < 1e7 for rate in rates)
    assert 0 < json.loads((tmp_path / "result.json").read_text())["seconds"] < 300
