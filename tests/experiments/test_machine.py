"""The share of this machine for the runs of an experiment, and how they are planned on it."""

import os
import subprocess
import sys

import pytest

from ppoc.experiments.engines import local, machine
from ppoc.experiments.engines.engine import Job, Outcome
from ppoc.experiments.engines.planning import Plan, plan

GIB = 1 << 30


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".", 1)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return write


def test_cores_are_those_that_the_process_and_its_container_have(cgroup, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert machine.cores() == 8
    for quota, count in (("max 100000", 8), ("350000 100000", 3), ("50000 100000", 1), ("?", 8)):
        cgroup(cpu_max=quota)
        assert machine.cores() == count


def test_cores_of_an_older_container(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    for quota, count in (("-1\n", 8), ("200000\n", 2)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
        assert machine.cores() == count


def test_free_memory_is_within_the_container(cgroup):
    assert machine.free_memory() > 0
    cgroup(memory_max="5000", memory_current="4000", memory_stat="anon 1\ninactive_file 700\n")
    assert machine.free_memory() == 1700
    cgroup(memory_max="max")
    assert machine.free_memory() > 1700


def test_memory_of_a_process_counts_those_that_it_started():
    code = "x = bytearray(50_000_000); print(flush=True); input()"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert 50_000_000 < machine.memory_of(process.pid) < 200_000_000
        process.stdin.write(b"\n")
    assert machine.memory_of(process.pid) == 0


def test_gpus_are_those_that_the_process_may_see(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine.gpus() == []
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert machine.gpus() == ["2", "10"]
    for told, found in (("1, GPU-8", ["1", "GPU-8"]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
        assert machine.gpus() == found


@pytest.mark.parametrize(
    ("cores", "gpus", "given", "expected"),
    [
        (2, [], (10,), Plan(2, 1)),
        (8, [], (3,), Plan(3, 2)),
        (8, [], (10, 2), Plan(2, 4)),
        (2, [], (10, 6), Plan(6, 1)),
        (16, ["0"], (10,), Plan(1, 16, ("0",))),
        (16, ["0", "1"], (10,), Plan(2, 8, ("0", "1"))),
        (16, ["0", "1"], (1,), Plan(1, 16, ("0", "1"))),
    ],
)
def test_plans(monkeypatch, cores, gpus, given, expected):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "gpus", lambda: gpus)
    assert plan(*given, device="auto") == expected
    assert plan(*given, device="cpu").gpus == ()


class Trial:
    """An attempt that ends when it is told to."""

    memory = 0

    def __init__(self, job, environment):
        self.job, self.environment = job, environment
        self.ended = False

    def outcome(self):
        return Outcome("finished") if self.ended else None


@pytest.fixture
def engine(monkeypatch):
    """A function that makes an engine, and starts attempts which take 2 GiB."""
    monkeypatch.setattr(local, "Attempt", Trial)

    def make(planned, free):
        monkeypatch.setattr(machine, "free_memory", lambda: free)
        said = []
        return local.LocalEngine(planned, said.append), said

    return make


def test_fewer_runs_go_side_by_side_where_memory_is_short(engine, monkeypatch, tmp_path):
    made, said = engine(Plan(8, 1), 5 * GIB)
    monkeypatch.setattr(Trial, "memory", 2 * GIB)
    started = 0
    while made.slots > started:
        made.start(Job(str(started), tmp_path))
        made.ended()
        started += 1
        monkeypatch.setattr(machine, "free_memory", lambda left=5 - 2 * started: left * GIB)
    assert started == 2  # 1 GiB is left
    (text,) = said
    assert "a run takes some 2.0 GiB, and 1.0 GiB are left" in text

    # What began a moment ago has not taken yet what it will.
    monkeypatch.setattr(Trial, "memory", GIB // 4)
    assert made.slots == 2
    # One always runs, and where nobody knows, all do.
    made, said = engine(Plan(8, 1), 0)
    assert made.slots == 1
    made.start(Job("0", tmp_path))
    assert made.slots == 1
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    assert made.slots == 8


def test_runs_are_spread_over_gpus(engine, tmp_path):
    made, _ = engine(Plan(4, 1, ("0", "7")), 99 * GIB)
    for name in "abc":
        made.start(Job(name, tmp_path))
    seen = [trial.environment["CUDA_VISIBLE_DEVICES"] for trial in made._running]
    assert seen == ["0", "7", "0"]
    made._running[0].ended = made._running[2].ended = True
    assert [job.name for job, _ in made.ended()] == ["a", "c"]
    made.start(Job("d", tmp_path))
    assert made._running[-1].environment["CUDA_VISIBLE_DEVICES"] == "0"
