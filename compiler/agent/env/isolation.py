"""A process of its own for code of others, so that whatever it does becomes a sentence.

It may end the process, crash it, hang, fork, close files, print, and change folders, signals and
variables: all of that stays in a child. The child is a fork, which takes milliseconds; it answers
in memory that both share, which no grandchild can keep open and no closing of files breaks. It
leads a session of its own, and what is left of its group is killed when it has ended.

Where there is no fork the code runs in this process, with none of this.
"""

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
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

# When what is under way began, and for how many seconds it may go on; 0 where nothing is.
CLOCK = struct.Struct("dd")
ANSWER = struct.Struct("q")  # bytes of the answer
# Where things are in the shared memory: bytes that tell, what is under way, where a copy came from.
COPIED, ENDED, WORDS, COPY_WORDS, ANSWERED = 24, 25, 32, 2048, 4096
WHOLE, BROKEN = 1, 2  # how a child says that it ended
SHARED_BYTES = 1 << 24  # pages that nobody touches cost nothing
LOOK_SECONDS, COPY_SECONDS = 0.05, 0.2
PRINTED_BYTES = 1 << 16  # of what the child prints, its last: a crash lists its stack and modules
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Outcome:
    """The outcome of a child process: its last answer, and how it ended."""

    answer: bytes | None  # the last that it gave
    ended: str = ""  # how it ended before its time; empty where it got to its end
    doing: str = ""  # what was under way then
    printed: str = ""  # the last line that it printed
    seconds: float = 0.0  # the limit, where it was ended for taking longer


class Desk:
    """Where a child says what it does and leaves its answer."""

    def __init__(self, shared: mmap.mmap | bytearray) -> None:
        self._shared = shared
        self._owner = os.getpid()

    @contextmanager
    def doing(self, what: str, seconds: float) -> Iterator[None]:
        """Note something that code of others does, and for how many seconds it may."""
        words = what.encode(errors="backslashreplace")[: COPY_WORDS - WORDS]
        words = words.ljust(COPY_WORDS - WORDS, b"\0")
        self._shared[WORDS:COPY_WORDS] = words
        CLOCK.pack_into(self._shared, 0, time.monotonic(), seconds)
        try:
            yield
        finally:
            if os.getpid() != self._owner:  # code that forked came back twice: this is the copy
                self._shared[COPY_WORDS : COPY_WORDS + len(words)] = words
                self._shared[COPIED] = 1
                os._exit(0)
            CLOCK.pack_into(self._shared, 0, 0.0, 0.0)

    def answer(self, data: bytes) -> None:
        """Leave an answer, in place of an earlier one.

        Raises:
            ValueError: it is longer than there is room for.
        """
        ANSWER.pack_into(self._shared, CLOCK.size, 0)
        if len(data) > len(self._shared) - ANSWERED:
            raise ValueError(f"an answer of {len(data):,} bytes is too long")
        self._shared[ANSWERED : ANSWERED + len(data)] = data
        ANSWER.pack_into(self._shared, CLOCK.size, len(data))


def isolated(work: Callable[[Desk], None]) -> Outcome:
    """Run `work` in a process of its own, which ends with it, and return what it came to."""
    if not hasattr(os, "fork"):
        shared = bytearray(SHARED_BYTES)
        work(Desk(shared))
        return Outcome(_answer(shared))
    with contextlib.closing(mmap.mmap(-1, SHARED_BYTES)) as memory:
        reader, writer = os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():  # of threads, which the child does without
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            _work(work, memory, writer, parent)
        os.close(writer)
        try:
            return _wait(child, memory, reader)
        finally:
            os.close(reader)


def _work(work: Callable[[Desk], None], shared: mmap.mmap, output: int, parent: int) -> NoReturn:
    """Do the child's work; never return, nor run what its parent would run at its end."""
    try:
        os.setsid()
        die_with(parent)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for ours, theirs in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(ours, theirs)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        faulthandler.enable(2)
        if "torch" in sys.modules:  # whose threads a fork does not take along
            sys.modules["torch"].set_num_threads(1)
        work(Desk(shared))
        _await_copies(shared)
        shared[ENDED] = WHOLE
    except BaseException as error:  # which `work` did not foresee
        shared[ENDED] = BROKEN
        with contextlib.suppress(BaseException):
            os.write(2, f"\n{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def _await_copies(shared: mmap.mmap) -> None:
    """Wait a little for copies of this process to say that they are there, where it has forked."""
    end = time.monotonic() + COPY_SECONDS
    with contextlib.suppress(ChildProcessError):
        while not shared[COPIED] and time.monotonic() < end:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            time.sleep(COPY_SECONDS / 20)


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when the one before it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _wait(child: int, shared: mmap.mmap, reader: int) -> Outcome:
    """Wait for a child; end it where it takes too long, and all that it leaves behind."""
    printed, slow, status = b"", 0.0, 0
    try:
        with _looking(child, reader) as look:
            while not _has_ended(child):
                printed = (printed + look())[-PRINTED_BYTES:]
                since, limit = CLOCK.unpack_from(shared)
                if since and time.monotonic() - since > limit and not _has_ended(child):
                    slow = limit
                    break
            printed = (printed + look())[-PRINTED_BYTES:]
    finally:  # also where this process is asked to stop
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            status = os.waitpid(child, 0)[1]
    last = _last_line(printed)
    if slow:
        return _outcome(shared, f"takes longer than {slow:g} s", last, slow)
    if shared[COPIED]:
        return Outcome(None, "forks, and comes back in both processes", _words(shared, COPY_WORDS))
    if shared[ENDED] == BROKEN:
        return _outcome(shared, f"cannot be looked at ({last})", "")
    if shared[ENDED] != WHOLE:
        return _outcome(shared, _how(os.waitstatus_to_exitcode(status)), last)
    return Outcome(_answer(shared))


def _has_ended(child: int) -> bool:
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # where nobody is told of children, they are gone when they end
        return True


@contextmanager
def _looking(child: int, reader: int) -> Iterator[Callable[[], bytes]]:
    """A function that waits a moment for output or the end of a child, and returns the output."""
    ready = select.poll()
    ready.register(reader, select.POLLIN)
    end, seconds = -1, LOOK_SECONDS / 10
    with contextlib.suppress(AttributeError, OSError):  # a system without such files
        end, seconds = os.pidfd_open(child), LOOK_SECONDS
        ready.register(end, select.POLLIN)

    def look() -> bytes:
        found = dict(ready.poll(seconds * 1000))
        data = os.read(reader, 1 << 20) if found.get(reader, 0) & select.POLLIN else b""
        if reader in found and not data:
            ready.unregister(reader)  # nobody writes there any more
        return data

    try:
        yield look
    finally:
        if end >= 0:
            os.close(end)


def _last_line(printed: bytes) -> str:
    """The last line; of a crash that Python reports, the line of code that was under way."""
    text = printed.decode(errors="replace")
    before, crash, _ = text.partition("\nExtension modules: ")
    lines = text.split("\n")
    if crash:
        _, _, stack = before.rpartition("most recent call first)")
        lines = [line for line in stack.split("\n") if line.lstrip().startswith("File ")][:1]
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


def _how(code: int) -> str:
    """How a process ended, from its exit code or the signal that ended it."""
    if code >= 0:
        return f"ends its process with exit code {code}, as os._exit does"
    known = -code in set(signal.Signals)
    name = signal.Signals(-code).name if known else f"signal {-code}"
    crashes = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
    if -code in crashes:
        return f"crashes its process in native code ({name})"
    if -code == signal.SIGKILL:
        return f"has its process killed ({name}): by itself, or by the system for want of memory"
    return f"ends its process by {name}"


def _outcome(shared: mmap.mmap, ended: str, printed: str, seconds: float = 0.0) -> Outcome:
    return Outcome(_answer(shared), ended, _words(shared, WORDS), printed, seconds)


def _words(shared: mmap.mmap, start: int) -> str:
    words = shared[start : start + COPY_WORDS - WORDS]
    return words.rstrip(b"\0").decode(errors="replace")


def _answer(shared: mmap.mmap | bytearray) -> bytes | None:
    (length,) = ANSWER.unpack_from(shared, CLOCK.size)
    return bytes(shared[ANSWERED : ANSWERED + length]) if length > 0 else None
