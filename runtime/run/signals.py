"""How a run answers SIGINT, SIGTERM and SIGHUP: first after the iteration, then at once."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from ppoc.runtime.ending import end_process
from ppoc.runtime.envs.vector import Interrupted

# A terminal or `timeout` may send one request twice, to a process and to the group it is in.
AGAIN_SECONDS = 0.5
GRACE_SECONDS = 5.0
CLOSED = b"\0"  # of no signal


class StopSignals:
    """The requests of signals to a run.

    Attributes:
        requested: whether to stop after the iteration under way, with a checkpoint.
        graceful: whether there is an iteration to finish; without one, the first signal interrupts.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` tells a person, from another thread, that the run stops."""
        self.requested = False
        self.graceful = False
        self._say = say
        self._first = 0.0
        self._interrupted = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Answer the signals while this is open; in a thread other than the main, do nothing.

        A signal that was ignored stays so: `nohup` means it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        numbers = [n for n in wanted if signal.getsignal(n) is not signal.SIG_IGN]
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        fd_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        thread = threading.Thread(target=self._watch, args=(reader, numbers), daemon=True)
        thread.start()
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)
            signal.set_wakeup_fd(fd_before)
            with contextlib.suppress(BlockingIOError):
                os.write(writer, CLOSED)  # processes that an environment forked have it open too
            os.close(writer)
            thread.join()
            os.close(reader)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # It prints nothing: the code that it interrupts may be printing.
        now = time.monotonic()
        if self._interrupted or (self.requested and now - self._first < AGAIN_SECONDS):
            return
        if self.requested or not self.graceful:
            self._interrupted = True  # what follows cleans up, and is not to be cut short as well
            raise Interrupted(signal.Signals(number).name)
        self.requested, self._first = True, now

    def _watch(self, reader: int, numbers: list[signal.Signals]) -> None:
        """Say what a signal does; end a process that was asked twice and lets no handler run."""
        first: float | None = None
        while (data := os.read(reader, 1)) not in (b"", CLOSED):
            now = time.monotonic()
            if data[0] not in numbers:
                continue
            if first is None:
                first = now
                if self.graceful:
                    self._say("stopping after this iteration, with a checkpoint; again: at once")
            elif now - first >= AGAIN_SECONDS:
                if _closed_within(reader, GRACE_SECONDS):
                    return
                end_process("stopped at once: asked twice, and the step under way does not end")


def _closed_within(reader: int, seconds: float) -> bool:
    """Whether the other end of a pipe is closed in time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0] and os.read(reader, 1) in (b"", CLOSED):
            return True
    return False
