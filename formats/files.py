"""Files that a crash, a power cut or a full disk leaves whole: the old content, or the new."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Literal

from ppoc.formats.reading import FormatError, read_regular

MAX_LINES = 2**30  # bytes


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file's content, or make the file; returns when it is on the disk.

    Raises:
        OSError: it cannot be written. What was there before still is, and nothing is left beside.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


class LineFile:
    """A file that lines are appended to: each whole, or not at all."""

    def __init__(self, path: Path, mode: Literal["x", "a"] = "a") -> None:
        """Open it to append; with mode `x` it must be new.

        Raises:
            OSError: it cannot be opened, or is there already.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_EXCL if mode == "x" else 0)
        self._path = path
        self._file = os.open(path, flags | os.O_CLOEXEC, 0o644)

    def append(self, text: str) -> None:
        """Write a line, given without its end, to the operating system.

        Raises:
            OSError: the disk is full, or the file or its folder is gone. No part of it is left.
        """
        data, written = f"{text}\n".encode(), 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            if written:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        if os.fstat(self._file).st_nlink == 0:  # nobody would ever read it
            raise OSError(errno.ENOENT, "it was removed while it was written", str(self._path))

    def sync(self) -> None:
        """Wait until what was written is on the disk.

        Raises:
            OSError: it cannot be brought there.
        """
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def append_line(path: Path, text: str) -> None:
    """Append a line, given without its end; returns when it is on the disk.

    Raises:
        OSError: it cannot be written. No part of it is left.
    """
    file = LineFile(path)
    try:
        file.append(text)
        file.sync()
    finally:
        file.close()


def read_lines(path: Path) -> list[str]:
    """The whole lines of a file, without their ends: a last one that was cut short is left out.

    Raises:
        OSError: it cannot be read.
        FormatError: it is no regular file, or larger than a gigabyte.
    """
    try:
        whole, _, _ = read_regular(path, MAX_LINES).rpartition(b"\n")
    except FormatError as error:
        raise FormatError(f"cannot read {path}: {error}") from error
    return whole.decode(errors="replace").split("\n") if whole else []


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder."""
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            part.unlink()
