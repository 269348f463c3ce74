"""The output of a run: kept in its folder within bounds, and its error in few words."""

import contextlib
import os
import re
import threading
from collections import deque
from pathlib import Path
from typing import IO

from ppoc.formats.files import create_file
from ppoc.formats.text import printable

NAME = "output.txt"
FIRST_BYTES, LAST_BYTES = 1 << 20, 1 << 16  # kept of it, from either end
READ_BYTES = 1 << 16
REASON_LINES, REASON_LINE = 3, 500
ERROR = re.compile(r"^error(?:\[[A-Z]\d+\])?: ", re.MULTILINE)
SECONDS_TO_END = 5.0  # for a pipe that somebody else keeps open once the run has ended


class Output:
    """The output of a process, read by a thread of its own."""

    def __init__(self, pipe: IO[bytes], folder: Path) -> None:
        """Keep what comes out of `pipe` in a new file of the folder.

        Raises:
            OSError: the file cannot be made.
        """
        self._pipe = pipe
        self._file = create_file(folder / NAME)
        self._last: deque[bytes] = deque()
        self._kept = self._held = self._lost = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under it
            while data := os.read(self._pipe.fileno(), READ_BYTES):
                self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._last.append(data)
        self._held += len(data)
        while self._held - len(self._last[0]) >= LAST_BYTES:
            self._held -= len(self._last.popleft())
        room = FIRST_BYTES - self._kept
        with contextlib.suppress(OSError):  # the disk is full: the run goes on, or says so itself
            self._file.write(data[:room])
            self._file.flush()
        self._kept += min(room, len(data))
        self._lost += max(0, len(data) - room)

    def end(self) -> str:
        """The last of what was said, once its process has ended; the file is closed."""
        self._thread.join(SECONDS_TO_END)
        last = b"".join(self._last)[-LAST_BYTES:]
        with contextlib.suppress(OSError), self._file:
            if self._lost:
                tail = last[-min(self._lost, LAST_BYTES) :]
                if left_out := self._lost - len(tail):
                    self._file.write(f"\n… ({left_out:,} bytes left out)\n".encode())
                self._file.write(tail)
        self._pipe.close()
        return last.decode(errors="replace")


def reason(said: str) -> str | None:
    """The last error that a run told of, its first lines; None where it told of none."""
    found = list(ERROR.finditer(said))
    if not found:
        return None
    lines = [printable(line, REASON_LINE) for line in said[found[-1].end() :].splitlines() if line]
    return "\n".join(lines[:REASON_LINES]) or None
