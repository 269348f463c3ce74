"""How a run that fails ends: in one message, with what is kept named, and exit code 3."""

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError
from ppoc.formats.text import lines
from ppoc.runtime.ending import EXIT_CODE, last_words
from ppoc.runtime.envs.answers import in_words, shortened
from ppoc.runtime.envs.vector import STOPS, EnvironmentFailure, Interrupted
from ppoc.runtime.errors import RunError
from ppoc.runtime.records import checkpoint as checkpoints

TRACEBACK = "error.txt"
LESS_MEMORY = (
    "a smaller update.rollout_steps or update.minibatch_size, fewer env.num_envs and smaller "
    "networks need less"
)


@contextlib.contextmanager
def in_one_message(
    folder: Path, *, root: Path | None = None, less_memory: str = LESS_MEMORY
) -> Iterator[None]:
    """Whatever ends the run within, its owner gets one message and what is kept of it in `folder`.

    Args:
        root: the run folder, where `folder` is a stage's part of it.
        less_memory: what to change where memory ran out.

    Raises:
        RunError: the run failed, or was interrupted.
    """

    def words(what: str) -> list[str]:
        return [_written(folder / TRACEBACK, what, "where it was is in"), kept(folder)]

    last_words.append(words)
    place = Path.cwd()
    try:
        yield
    except RunError:
        raise
    except KeyboardInterrupt:
        raise
    except Interrupted as error:
        raise RunError(f"stopped at once, by {error}\n{kept(folder)}") from error
    except BaseException as error:  # SystemExit too, which would end as if all were well
        moved = _back_to(place)
        path = (root or folder) / TRACEBACK
        said = describe_failure(error, path, less_memory=less_memory)
        raise RunError(f"{said}\n{moved}{kept(folder)}") from error
    finally:
        last_words.remove(words)


def _back_to(place: Path) -> str:
    """Go back to the working directory of the run's start; returns a line if others left it."""
    with contextlib.suppress(OSError):  # it may be gone
        if (now := Path.cwd()) != place:
            os.chdir(place)
            return (
                f"code of others, such as an environment, changed the working directory to {now}; "
                "a whole path as --out keeps the run folder in reach\n"
            )
    return ""


def kept(folder: Path) -> str:
    """The last good checkpoint that is left of a run, in words."""
    if not folder.is_dir():
        return f"nothing is left: {folder} was removed"
    saved = checkpoints.newest_good(folder / "checkpoints")
    return f"the last good checkpoint is {saved}" if saved else "no checkpoint was saved yet"


def fail(error: RunError, *, debug: bool) -> NoReturn:
    """End a module that is run as a script with one message and, to debug, the traceback first."""
    if debug:
        print("".join(traceback.format_exception(error.__cause__ or error)), file=sys.stderr)
    print(lines(f"error: {error}"), file=sys.stderr)
    sys.exit(EXIT_CODE)


@contextlib.contextmanager
def explained(folder: Path, doing: str) -> Iterator[None]:
    """Whatever fails within, such as an evaluation of the run in `folder`, is one message.

    Args:
        doing: such as `the evaluation`; its traceback is in evaluation-error.txt, as the run's own
            is in error.txt.

    Raises:
        RunError: it failed.
    """
    try:
        yield
    except (RunError, *STOPS):
        raise
    except BaseException as error:
        path = folder / f"{doing.split()[-1]}-{TRACEBACK}"
        raise RunError(describe_failure(error, path, doing=doing)) from error


def describe_failure(
    error: BaseException, path: Path, *, less_memory: str = LESS_MEMORY, doing: str = "the run"
) -> str:
    """An error in a line or two; where code of others has its part, the traceback is kept.

    Args:
        path: the file to keep it in, in the run folder.
        doing: what failed, where nobody foresaw how.
    """
    if isinstance(error, checkpoints.CheckpointError | FormatError):
        return str(error)
    if isinstance(error, EnvironmentFailure):
        return f"{error} ({_left(error, path)})"
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error, path.parent)
    if _out_of_memory(error):
        return f"out of memory: {_first_line(error)}\n{less_memory}"
    if isinstance(error, SystemExit):
        said = f"{doing} was ended by sys.exit({shortened(error.code)}) in code of others"
    else:
        said = f"{doing} failed: {in_words(error).strip().partition(chr(10))[0]}"
    return f"{said} ({_left(error, path)})"


def _left(error: BaseException, path: Path) -> str:
    """Write the traceback of an error, with its notes, into a run folder, and say where it is."""
    return _written(path, "".join(traceback.format_exception(error)), "traceback in")


def _written(path: Path, text: str, said: str) -> str:
    try:
        write_whole(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        why = error.strerror or error
        return f"its traceback could not be written ({why}); --debug prints it"
    return f"{said} {path}"


def _of_the_system(error: OSError, folder: Path) -> str:
    name = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "the disk is full" if error.errno == errno.ENOSPC else "the disk quota is used up"
        return f"{what}: cannot write{name or f' to {folder}'}; make room, then --resume"
    if error.errno == errno.EROFS:
        return f"cannot write{name}: its file system is read-only"
    if error.errno == errno.ENOENT and not folder.is_dir():
        return f"the run folder {folder} was removed while the run was writing to it"
    if error.errno == errno.EMFILE:
        return f"too many open files{name and ':'}{name}; `ulimit -n` raises the limit"
    return f"{error.strerror or error}{name and ':'}{name}"


def _out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the host or on the device; torch says the former in words only."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error) if isinstance(error, RuntimeError) else ""
    return "DefaultCPUAllocator" in said or "not enough memory" in said or "bad_alloc" in said


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
