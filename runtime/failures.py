"""How a run that fails ends: in one message, with what is kept named, and exit code 3."""

import contextlib
import errno
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError
from ppoc.formats.text import lines
from ppoc.runtime import checkpoint as checkpoints
from ppoc.runtime.envs import EnvironmentFailure

EXIT_CODE = 3
LESS_MEMORY = (
    "a smaller update.rollout_steps or update.minibatch_size, fewer env.num_envs and smaller "
    "networks need less"
)

# The folder of the run under way in this process, for a thread that has to end it.
_under_way: list[Path] = []


class RunError(Exception):
    """A run that cannot start or go on; its text says why and what is left."""


class Interrupted(BaseException):
    """A signal ends the run at once. No Exception, so that nothing on the way takes it for one."""


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
    _under_way.append(folder)
    try:
        yield
    except RunError:
        raise
    except Interrupted as error:
        raise RunError(f"stopped at once, by {error}\n{kept(folder)}") from error
    except SystemExit as error:  # which would end the process as if all were well
        said = f"the run was ended by sys.exit({error.code!r}) in code of others"
        raise RunError(f"{said}\n{kept(folder)}") from error
    except Exception as error:
        said = describe_failure(error, root or folder, less_memory)
        raise RunError(f"{said}\n{kept(folder)}") from error
    finally:
        _under_way.remove(folder)


def kept(folder: Path) -> str:
    """What is left of a run, and how to go on with it."""
    if not folder.is_dir():
        return f"nothing is left: {folder} was removed"
    saved = checkpoints.newest_good(folder / "checkpoints")
    return f"the last good checkpoint is {saved}" if saved else "no checkpoint was saved yet"


def end_process(message: str) -> NoReturn:
    """End the process from whichever thread, whatever the others are in, with exit code 3."""
    said = "\n".join([f"error: {message}", *(kept(folder) for folder in _under_way)])
    with contextlib.suppress(OSError):
        os.write(2, f"\n{lines(said)}\n".encode())
    os._exit(EXIT_CODE)


def describe_failure(error: BaseException, folder: Path, less_memory: str) -> str:
    """An error in a line or two; one that nobody foresaw leaves its traceback in the run folder."""
    if isinstance(error, EnvironmentFailure | checkpoints.CheckpointError | FormatError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error, folder)
    if _out_of_memory(error):
        return f"out of memory: {_first_line(error)}\n{less_memory}"
    path = folder / "error.txt"
    with contextlib.suppress(OSError):
        write_whole(path, "".join(traceback.format_exception(error)))
    where = f"traceback in {path}" if path.exists() else "its traceback could not be written"
    return f"the run failed: {type(error).__name__}: {_first_line(error)} ({where})"


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
    said = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator" in said or "not enough memory" in said or "bad_alloc" in said
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
