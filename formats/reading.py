"""Files that anybody may have made: regular ones, read within bounds."""

import os
import stat
from io import BufferedReader
from pathlib import Path


class FormatError(ValueError):
    """A file that is not what its name says; the text says why, without the file's name."""


def open_regular(path: Path, limit: int | None = None, *, follow: bool = False) -> BufferedReader:
    """A regular file, open to be read; neither a pipe nor a device is opened or waited for.

    Args:
        limit: the most bytes that it may have now.
        follow: whether a link to such a file is one.

    Raises:
        OSError: it is missing or cannot be read.
        FormatError: it is a link or no regular file, or larger than the limit.
    """
    return _opened(path, limit, follow)[0]


def read_regular(path: Path, limit: int, *, follow: bool = False) -> bytes:
    """The bytes of a regular file, opened as `open_regular` does.

    Raises:
        OSError: it is missing or cannot be read.
        FormatError: it is a link or no regular file, or larger than `limit` bytes.
    """
    file, size = _opened(path, limit, follow)
    with file:
        # Not limit + 1, of which Python would ask the system for the memory at once.
        data = file.read(size + 1)
    if len(data) > size:
        raise FormatError("it grew while it was read")
    return data


def _opened(path: Path, limit: int | None, follow: bool) -> tuple[BufferedReader, int]:
    """A regular file, and its size in bytes when it was opened."""
    found = os.stat(path, follow_symlinks=follow)
    if stat.S_ISLNK(found.st_mode):
        raise FormatError("it is a symbolic link, which is not followed: put the file itself there")
    if not stat.S_ISREG(found.st_mode):
        raise FormatError("it is not a regular file")
    # A file that took its place since then is not waited for either.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    file = os.fdopen(os.open(path, flags), "rb")
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and (limit is None or found.st_size <= limit):
        return file, found.st_size
    file.close()
    if stat.S_ISREG(found.st_mode):
        raise FormatError(f"it is larger than {limit:,} bytes")
    raise FormatError("it is not a regular file")
