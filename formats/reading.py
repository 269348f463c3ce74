"""Files that anybody may have made: regular ones, read within bounds."""

import os
import stat
from pathlib import Path


class FormatError(ValueError):
    """A file that is not what its name says; the text says why, without the file's name."""


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file; never waits for a pipe or a device.

    Raises:
        OSError: it is missing or cannot be read.
        FormatError: it is a link or no file, or larger than `limit` bytes.
    """
    if path.is_symlink():
        raise FormatError("it is a symbolic link, which is not followed: put the file itself there")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise FormatError("it is not a regular file")
        if found.st_size > limit:
            raise FormatError(f"it is larger than {limit:,} bytes")
        with open(descriptor, "rb", closefd=False) as file:
            # Not limit + 1, of which Python would ask the system for the memory at once.
            data = file.read(found.st_size + 1)
    finally:
        os.close(descriptor)
    if len(data) > found.st_size:
        raise FormatError("it grew while it was read")
    return data
