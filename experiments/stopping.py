"""How an experiment answers SIGINT, SIGTERM and SIGHUP: runs save and stop; again: at once."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

# A terminal or `timeout` may send one request twice, to a process and to the group it is in.
AGAIN_SECONDS = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Requests:
    """The signals that came.

    Attributes:
        stop: whether one asked to stop.
        at_once: whether a second one did.
    """

    def __init__(self) -> None:
        self.stop = self.at_once = False
        self._first = 0.0

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; nothing is done here, in the middle of whatever it interrupts."""
        now = time.monotonic()
        if self.stop and now - self._first >= AGAIN_SECONDS:
            self.at_once = True
        if not self.stop:
            self.stop, self._first = True, now


@contextlib.contextmanager
def requests() -> Iterator[Requests]:
    """Note signals while this is open; one that was ignored stays so, as `nohup` means it."""
    found = Requests()
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    numbers = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, found.note) for number in numbers}
    try:
        yield found
    finally:
        for number, old in before.items():
            signal.signal(number, old)
