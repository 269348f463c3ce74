"""A time by which something of others has answered, or is done without."""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
GRACE = 0.2  # seconds for what runs to end by itself, which says better what was slow


class Deadline:
    """So many seconds from when it is made."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; 0 where there are none."""
        return max(0.0, self._end - time.monotonic())

    def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, or its exception.

        It runs in a thread of its own, so that nothing in it can take longer, whether that looks at
        a clock or, as the look-up of a host's name, does not.

        Raises:
            TimeoutError: the time is over. The thread may go on until the process ends.
        """
        done: list[tuple[bool, Any]] = []
        context = contextvars.copy_context()

        def call() -> None:
            try:
                done.append((True, context.run(work)))
            except BaseException as error:
                done.append((False, error))

        if self.left():
            thread = threading.Thread(target=call, daemon=True)
            thread.start()
            thread.join(self.left() + GRACE)
        if not done:
            raise TimeoutError
        succeeded, result = done[0]
        if not succeeded:
            raise result
        found: T = result
        return found
