"""The lock of a run folder: one run at a time writes to it."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ppoc.formats.files import open_to_write
from ppoc.runtime.errors import RunError

LOCK_SECONDS = 2.0  # a run that was killed a moment ago may still hold its folder


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder's lock file, which the operating system releases whatever ends the process.

    Raises:
        RunError: another run holds it.
    """
    import fcntl

    file = open_to_write(folder / "run.lock")
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RunError(f"another run is writing to {folder}") from error
            time.sleep(0.05)
        yield
    finally:
        os.close(file)
