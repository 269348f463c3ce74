"""Faults around a run, made on purpose: one message, exit code 3, nothing trained lost.

Each test runs `ppoc run` as its users do, in a process of its own.
"""

import contextlib
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records.metrics import read_metrics

SUPPORT = Path(__file__).parents[1] / "support"
PPOC = [sys.executable, "-m", "ppoc.cli"]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(SUPPORT),
    "OMP_NUM_THREADS": "1",
    "PPOC_TRUST": "faulty",
}
SPEC = """\
ppoc: 1
name: faulty
algorithm: ppo
env: {{id: 'faulty:Faulty-v0', num_envs: 2, options: {{fault: {fault}, at: {at}}}}}
networks: {{actor: {{layers: [8]}}, critic: {{layers: [8]}}}}
update: {{rollout_steps: 64, epochs: 1, minibatch_size: all}}
training: {{total_steps: {steps}, compile: never, device: cpu}}
evaluation: {{episodes: 2}}
"""


def start(tmp_path, fault="none", *flags, at=700, steps=6400, out="run", **options):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(fault=fault, at=at, steps=steps))
    command = [*PPOC, "run", spec, "--trust", "--out", tmp_path / out, *flags]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, text=True, **options)


def finish(process, timeout=100):
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in (out or "") + (err or "")
    return SimpleNamespace(code=process.returncode, out=out, err=err)


def check_failed(done, folder, *said):
    """One error, exit code 3, and the last good checkpoint, which can be read, by its name."""
    assert done.code == 3, done.err
    assert done.err.count("error:") == 1
    for text in said:
        assert text in done.err
    newest = checkpoints.load_newest(folder / "checkpoints")
    assert newest.damaged == []
    assert re.search(rf"the last (good )?checkpoint is {re.escape(str(newest.path))}\b", done.err)
    assert newest.path.name == "step-000000001280"  # the last before the fault, at step 1,400
    assert not list(folder.rglob(".*.part"))


FAULTS = {
    "raises": ("Faulty-v0 failed to step", "KeyError", "no such joint", "in environment 1 of 2"),
    "exits": ("sys.exit(0)", "traceback in"),
    "leaves": ("GeneratorExit",),
    "vanishes": ("ended with exit code 0",),
    "crashes": ("SIGSEGV", "crash.txt says where"),
    "is_killed": ("SIGKILL",),
    "gives_nan": ("gave an observation of nan in component 1", "in environment"),
    "pays_infinity": ("gave a reward of -inf, at step", "nothing was learnt from it"),
    "gives_another_shape": ("the shape (1,)", "announces float32 (3,)"),
    "gives_words": ("gave an observation of the type <U1", "in environment 1 of 2"),
    "pays_nothing": ("gave a reward of None, which is no number",),
    "gives_no_choice": ("has 0 where Discrete(3, start=1) was announced",),
    "needs_memory": ("failed to step", "MemoryError: Unable to allocate"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_environment_ends_the_run_in_one_message(tmp_path, fault):
    done = finish(start(tmp_path, fault))
    check_failed(done, tmp_path / "run", *FAULTS[fault])
    if fault == "crashes":
        assert "faulty.py" in (tmp_path / "run" / "crash.txt").read_text()


@pytest.mark.parametrize("fault", ["hangs", "hangs_with_the_lock"])
def test_a_step_that_hangs_ends_the_run(tmp_path, fault):
    done = finish(start(tmp_path, fault, "-s", "env.step_timeout=1"))
    check_failed(done, tmp_path / "run", "longer than env.step_timeout, 1 s")
    if fault == "hangs":
        assert "time.sleep(1000)" in (tmp_path / "run" / "error.txt").read_text()


def wait_for_checkpoint(process, folder):
    deadline = time.monotonic() + 60
    while not checkpoints.latest(folder / "checkpoints"):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


LONG = {"steps": 192_000}


@contextlib.contextmanager
def mounted(folder, *options):
    """A small file system in memory, which only root may mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", *options, "ppoc-test", folder]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a file system here: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave):
    """Fill the file system of a folder but for some bytes."""
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    size = (folder / "filler").stat().st_size
    os.truncate(folder / "filler", size - leave)


@pytest.mark.parametrize("leave", [0, 12_288, 40_960])
def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path, leave):
    disk = tmp_path / "disk"
    with mounted(disk, "-o", "size=2m"):
        process = start(tmp_path, at=0, out="disk/run", **LONG)
        wait_for_checkpoint(process, disk / "run")
        # From here on the disk is full; a whole checkpoint takes more than is left.
        os.kill(process.pid, signal.SIGSTOP)
        fill(disk, leave)
        os.kill(process.pid, signal.SIGCONT)
        done = finish(process)
        assert done.code == 3
        assert done.err.count("error: the disk is full: cannot write") == 1
        newest = checkpoints.load_newest(disk / "run" / "checkpoints")
        assert newest.damaged == []
        assert f"the last good checkpoint is {newest.path}" in done.err
        assert not list(disk.rglob("*.part"))
        for line in (disk / "run" / "metrics.csv").read_text().splitlines():
            assert line.count(",") > 5
        (disk / "filler").unlink()
        check_resumes(tmp_path, disk / "run")


def check_resumes(tmp_path, folder):
    """It goes on from where it was, and a signal stops it with a checkpoint."""
    before = checkpoints.latest(folder / "checkpoints")
    rows = (folder / "metrics.csv").stat().st_size
    command = [*PPOC, "run", folder, "--resume", "--trust"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, text=True, stderr=subprocess.PIPE
    )
    while (folder / "metrics.csv").stat().st_size <= rows:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert done.code == 3
    assert "goes on" in done.err
    assert checkpoints.latest(folder / "checkpoints").name > before.name


def test_a_disk_that_becomes_read_only_ends_the_run(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk, "-o", "size=4m"):
        process = start(tmp_path, at=0, out="disk/run", **LONG)
        wait_for_checkpoint(process, disk / "run")
        # Files open for writing keep a file system writable, so this is a mount that lies over it.
        subprocess.run(["mount", "--bind", disk, disk], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
        try:
            done = finish(process)
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
        assert done.code == 3
        assert "its file system is read-only" in done.err
        assert "the last good checkpoint is" in done.err


def test_a_read_only_place_for_a_run_is_one_message(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk, "-o", "ro,size=1m"):
        done = finish(start(tmp_path, out="disk/run"))
    assert done.code == 2
    assert "cannot make" in done.err
    assert "Read-only" in done.err


def test_a_run_folder_that_is_removed_ends_the_run_and_stays_removed(tmp_path):
    process = start(tmp_path, at=0, **LONG)
    wait_for_checkpoint(process, tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    done = finish(process)
    assert done.code == 3
    assert "was removed while the run was writing to it" in done.err
    assert not (tmp_path / "run").exists()


def test_two_runs_do_not_share_a_folder(tmp_path):
    process = start(tmp_path, at=0, **LONG)
    wait_for_checkpoint(process, tmp_path / "run")
    command = [*PPOC, "run", tmp_path / "run", "--resume", "--trust"]
    second = subprocess.run(command, capture_output=True, env=ENVIRONMENT, text=True, check=False)
    assert second.returncode == 3
    assert f"another run is writing to {tmp_path / 'run'}" in second.stderr
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("to", ["one", "all"])
def test_signals_stop_with_a_checkpoint(tmp_path, number, to):
    """Sent to the process that was started, or by a terminal to all of its group."""
    process = start(tmp_path, at=0, start_new_session=True, **LONG)
    wait_for_checkpoint(process, tmp_path / "run")
    (os.kill if to == "one" else os.killpg)(process.pid, number)
    done = finish(process)
    assert done.code == 3
    assert "stopping after this iteration, with a checkpoint" in done.err
    assert "--resume` goes on" in done.err
    steps = int(re.search(r"stopped at ([\d,]+) steps", done.err)[1].replace(",", ""))
    newest = checkpoints.load_newest(tmp_path / "run" / "checkpoints")
    assert newest.metadata["steps"] == steps
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert rows[-1].startswith(f"{steps},")


def test_an_ignored_hangup_is_ignored(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(tmp_path, at=0, **LONG)
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for_checkpoint(process, tmp_path / "run")
    process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 3


@pytest.mark.parametrize("fault", ["hangs", "hangs_with_the_lock"])
def test_a_second_signal_ends_a_step_that_hangs(tmp_path, fault):
    process = start(tmp_path, fault)
    wait_for_checkpoint(process, tmp_path / "run")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    check_failed(finish(process), tmp_path / "run", "stopped at once")


def test_output_that_nobody_reads_ends_no_training(tmp_path):
    reader, writer = os.pipe()
    process = start(tmp_path, "none", "--json", stdout=writer)
    os.close(writer)
    os.read(reader, 100)
    os.close(reader)
    done = finish(process)
    assert (tmp_path / "run" / "result.json").exists()
    assert done.code == 0, done.err
    assert "Broken pipe" not in done.err


def test_a_terminal_that_is_lost_stops_the_run_with_a_checkpoint(tmp_path):
    terminal, inside = os.openpty()
    options = {"stdin": inside, "stdout": inside, "stderr": inside, "start_new_session": True}
    process = start(tmp_path, at=0, **LONG, **options)
    os.close(inside)
    over = threading.Event()

    def drain():
        while not over.is_set():
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 4096)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        wait_for_checkpoint(process, tmp_path / "run")
    finally:
        over.set()
        reader.join()
    os.close(terminal)  # what is written to it now fails with EIO
    time.sleep(0.5)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 3
    newest = checkpoints.load_newest(tmp_path / "run" / "checkpoints")
    *_, (stopped, _) = read_metrics(tmp_path / "run" / "metrics.csv", [])
    assert newest.metadata["steps"] == stopped < LONG["steps"]


def limited_memory():
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))


def test_too_little_memory_is_one_message(tmp_path):
    flags = ("-s", "update.rollout_steps=400_000_000", "-s", "training.total_steps=400_000_000")
    done = finish(start(tmp_path, "none", *flags, preexec_fn=limited_memory))
    assert done.code == 3
    assert done.err.count("error:") == 1
    assert "out of memory: Unable to allocate" in done.err
    assert "update.rollout_steps" in done.err
    assert "no checkpoint was saved yet" in done.err
