"""`ppoc run` in two processes: one trains, the other sees how it ends.

Code of others steps the environments, and may end the process that it is in: by a fault in native
code, by `os._exit`, by taking all memory. Whoever is ended cannot say so. The process that trains
is a fork from before torch is loaded, so it costs nothing; the first one waits, passes signals on,
and says what happened and which checkpoint is left.
"""

import atexit
import contextlib
import ctypes
import faulthandler
import mmap
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ppoc.cli import terminal
from ppoc.compiler.agent.env.isolation import die_with
from ppoc.formats.files import create_file

CRASH = "crash.txt"
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PASSED_ON = (*STOP, signal.SIGUSR1, signal.SIGUSR2)
CLOCK = struct.Struct("dd")  # as in ppoc.runtime.envs.watchdog
ENDED = CLOCK.size  # where a byte tells that the process that trains came to its own end
LOOK_SECONDS = 1.0
AGAIN_SECONDS, GRACE_SECONDS = 0.5, 8.0  # a little more than in ppoc.runtime.run.signals
PR_SET_CHILD_SUBREAPER = 36


def fork(folder: Path) -> None:
    """Return in a new process, which is to train in `folder`; the old one waits, and ends with it.

    Where there is torch already, or no way to fork, return in this one.
    """
    if "torch" in sys.modules or not hasattr(os, "fork"):
        return
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    for file in filter(None, (sys.stdout, sys.stderr)):
        file.flush()
    parent = os.getpid()
    _adopt_orphans()
    child = os.fork()
    if child:
        raise typer.Exit(_wait(child, folder, shared))
    die_with(parent)
    for number in STOP:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop_early)
    atexit.register(shared.__setitem__, ENDED, 1)
    with contextlib.suppress(OSError):
        faulthandler.enable(create_file(folder / CRASH))
    from ppoc.runtime.envs import watchdog

    watchdog.clock = shared


def _adopt_orphans() -> None:
    """Ask Linux to hand over the processes that training starts and leaves behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _end_orphans() -> None:
    """Kill what training left behind: it would keep open what this process writes to."""
    with contextlib.suppress(OSError):
        while left := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            for process in map(int, left):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _stop_early(number: int, frame: Any) -> None:
    """Before training, and after it, there is nothing to finish."""
    with contextlib.suppress(OSError):
        os.write(2, b"error: stopped\n")
    os._exit(terminal.RUN_FAILED)


def _wait(child: int, folder: Path, shared: mmap.mmap) -> int:
    """The exit code of the process that trains; says how it ended, where it could not."""
    asked: list[float] = []
    with _passing_on(child, asked):
        stuck = _watch(child, shared, asked)
        _, status = os.waitpid(child, 0)
    _end_orphans()
    crash = folder / CRASH
    with contextlib.suppress(OSError):
        if not crash.lstat().st_size:
            crash.unlink()
    if stuck:
        return _say(stuck, folder)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return _say(_of_signal(-code, crash), folder)
    if not shared[ENDED] and code != terminal.RUN_FAILED:
        what = f"the process that trains was ended with exit code {code} by code of others"
        return _say(f"{what}, such as os._exit in an environment", folder)
    return code


def _watch(child: int, shared: mmap.mmap, asked: list[float]) -> str | None:
    """Wait for the end of a process; end it where a step hangs, and return what to say then.

    The process itself comes first, where its other threads can run.
    """
    looked = resumed = time.monotonic()
    with _ending(child) as ended:
        while not ended(LOOK_SECONDS):
            now = time.monotonic()
            if now - looked > 2 * LOOK_SECONDS:
                resumed = now  # this process was stopped, and so was the other
            looked = now
            since, limit = CLOCK.unpack_from(shared)
            stuck = None
            if since and now - max(since, resumed) > limit + 2 * LOOK_SECONDS:
                stuck = f"a step or a close takes longer than env.step_timeout, {limit:g} s"
            elif (
                asked and asked[-1] - asked[0] >= AGAIN_SECONDS and now - asked[-1] > GRACE_SECONDS
            ):
                stuck = "stopped at once: asked twice, and the step under way does not end"
            if stuck:
                os.kill(child, signal.SIGKILL)
                return stuck
    return None


@contextlib.contextmanager
def _ending(child: int) -> Iterator[Any]:
    """A function that waits for some seconds and tells whether a process has ended."""
    if hasattr(os, "pidfd_open"):
        file = os.pidfd_open(child)
        try:
            yield lambda seconds: bool(select.select([file], [], [], seconds)[0])
        finally:
            os.close(file)
        return

    def poll(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return True
            time.sleep(0.05)
        return False

    yield poll


@contextlib.contextmanager
def _passing_on(child: int, asked: list[float]) -> Iterator[None]:
    """Pass signals on, and note when the run was asked to stop."""

    def pass_on(number: int, frame: Any) -> None:
        if number in STOP:
            asked.append(time.monotonic())
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    numbers = [n for n in PASSED_ON if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _of_signal(number: int, crash: Path) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        return f"the run was killed ({name}): by somebody, or by the system for want of memory"
    if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT):
        where = f"; {crash} says where" if crash.exists() else ""
        return f"the run crashed ({name}) in native code, such as an environment's{where}"
    return f"the run was ended by {name}"


def _say(what: str, folder: Path) -> int:
    terminal.say(f"error: {what}\n{_kept(folder)}")
    return terminal.RUN_FAILED


def _kept(folder: Path) -> str:
    """The last checkpoint, in words; `ppoc.runtime`, which could tell better, would load torch."""
    found = [path for path in folder.glob("**/checkpoints/step-*[0-9]") if path.is_dir()]
    if not found:
        return "no checkpoint was saved yet"
    newest = max(found, key=lambda path: (path.stat().st_mtime, path.name))
    return f"the last checkpoint is {newest}; --resume goes on from it"
