"""Python processes that import nothing from the folder that they stand in, which may be anybody's.

`python -c` and `python -m` search the current folder first, also for modules of the standard
library, and multiprocessing starts its processes so. PYTHONSAFEPATH forbids it.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType

VARIABLE = "PYTHONSAFEPATH"


def can_be_safe() -> bool:
    """Whether the processes that this one starts heed PYTHONSAFEPATH, or need not."""
    return bool(sys.flags.safe_path) or not sys.flags.ignore_environment


@contextlib.contextmanager
def safe_path() -> Iterator[str | None]:
    """Start processes that do not search the current folder; gives what `restore` takes in them."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    try:
        yield before
    finally:
        restore(before)


def restore(before: str | None) -> None:
    """Let the processes that this one starts search what they searched before."""
    if before is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = before


def import_safely(name: str) -> ModuleType:
    """A module, imported; raises what that raises.

    Some start processes meanwhile: glfw, which mujoco imports, asks one for a library's version.
    """
    with safe_path():
        return importlib.import_module(name)


def import_entry_point(entry_point: object) -> None:
    """Import the module of an environment's `module:name`, as `gymnasium.make` does then."""
    if isinstance(entry_point, str):
        import_safely(entry_point.partition(":")[0])
