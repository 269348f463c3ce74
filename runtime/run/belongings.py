"""The run folder of `python module.py`, with what the module came with, as of `ppoc run`."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError, read_regular
from ppoc.runtime.errors import RunError

MODULE = "module.py"
BESIDE = ("spec.lock.yaml", "manifest.json")
MAX_FILE = 2**30  # bytes


def make_folder(
    module: ModuleType, folder: Path, *, resume: bool, data: Iterable[str] = ()
) -> None:
    """Make a run folder, with a copy of the module, its lock and its manifest, where it has them.

    A module under another name, such as an ejected one, has none. A folder that is resumed keeps
    its own.

    Args:
        data: files that the module reads, by their paths from its folder.

    Raises:
        RunError: the folder has another module, or a file cannot be read or written.
    """
    source = Path(str(module.__file__)).resolve()
    target = folder / MODULE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = read_regular(source, MAX_FILE)
        if os.path.lexists(target):
            if resume or (target.is_file() and target.samefile(source)):
                return
            if read_regular(target, MAX_FILE) != text:
                raise RunError(f"{folder} has another {MODULE}: give another --out")
        for name in (*BESIDE, *data) if source.name == MODULE else ():
            if (source.parent / name).is_file():
                (folder / name).parent.mkdir(exist_ok=True)
                content = read_regular((source.parent / name).resolve(), MAX_FILE)
                write_whole(folder / name, content)
        write_whole(target, text)
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        raise RunError(f"cannot make {folder}: {error.strerror or error}{name}") from error
    except FormatError as error:
        raise RunError(f"cannot copy {source} and what is beside it: {error}") from error
