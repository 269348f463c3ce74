"""Folders that anybody may have made: looked through before anything of them is used."""

import os
import shutil
import stat
from pathlib import Path

from ppoc.formats.reading import FormatError

MAX_ENTRIES = 100_000


def check_folder(folder: Path) -> None:
    """See that a folder, which may be a link, has nothing but files and folders below it.

    Nothing that is read or written there is then waited for, or lies elsewhere: a link leads to a
    file or folder inside. Whoever can write there may change that afterwards.

    Raises:
        FormatError: there is something else, or too much; the text names it.
        OSError: a folder cannot be read.
    """
    home = folder.resolve()
    entries = 0
    for place, folders, files in os.walk(folder, onerror=_refuse):
        for name in (*folders, *files):
            entries += 1
            path = Path(place) / name
            if entries > MAX_ENTRIES:
                raise FormatError(f"{folder} has more than {MAX_ENTRIES:,} files: no run folder")
            kind = stat.S_IFMT(path.lstat().st_mode)
            if kind == stat.S_IFLNK:
                _check_link(path, folder, home)
            elif kind not in (stat.S_IFREG, stat.S_IFDIR):
                raise FormatError(f"{path} is not a regular file, nor a folder: remove it")


def check_files(folder: Path, limit: int | None = None) -> None:
    """See that a folder that another library is to read has no pipe or device in it.

    Links are followed, as caches of model hubs are made of them.

    Args:
        limit: the most bytes of a file.

    Raises:
        FormatError: there is one, or a larger file; the text names it.
        OSError: the folder cannot be read, or a link leads nowhere.
    """
    for path in folder.rglob("*"):
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            continue
        if not stat.S_ISREG(found.st_mode):
            raise FormatError(f"{path} is not a regular file, nor a folder: remove it")
        if limit is not None and found.st_size > limit:
            raise FormatError(f"{path} is larger than {limit:,} bytes")


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, or a file, or a link and not what it names.

    Raises:
        OSError: it cannot be removed; that there is none is well.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _refuse(error: OSError) -> None:
    raise error


def _check_link(path: Path, folder: Path, home: Path) -> None:
    try:
        inside = path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # a loop of links
        inside = False
    if not inside:
        raise FormatError(
            f"{path} is a link that leads out of {folder}: put the file itself there, or "
            "link the whole folder"
        )
