"""The end of a process whose main thread may be stuck."""

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from ppoc.formats.text import lines

EXIT_CODE = 3

# Of each run under way in this process: from what happened, and where the main thread was, to what
# is kept of the run.
last_words: list[Callable[[str], list[str]]] = []


def end_process(message: str) -> NoReturn:
    """End the process from whichever thread, whatever the others are in, with exit code 3.

    The run folder keeps where the main thread was.
    """
    main = sys._current_frames().get(threading.main_thread().ident or 0)
    stack = "".join(traceback.format_stack(main)) if main is not None else ""
    said = [f"error: {message}"]
    for words in last_words:
        said += words(f"{message}\nThe main thread was here:\n{stack}")
    with contextlib.suppress(OSError):
        whole = lines("\n".join(said))
        os.write(2, f"\n{whole}\n".encode("utf-8", "backslashreplace"))
    os._exit(EXIT_CODE)
