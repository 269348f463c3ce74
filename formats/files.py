"""Files that a crash, a power cut or a full disk leaves whole: the old content, or the new."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from ppoc.formats.reading import FormatError, open_regular

MAX_LINES = 2**30  # bytes


def create_file(path: Path) -> BinaryIO:
    """A new file, open to be written, in the place of a file, link or pipe that had its name.

    Raises:
        OSError: it cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(path, flags, 0o666), "wb")


def open_to_write(path: Path, flags: int = 0) -> int:
    """A descriptor of a regular file, which is made where there is none; no link is followed.

    Args:
        flags: of os.open besides, such as os.O_APPEND.

    Raises:
        OSError: it cannot be opened, or is a link, a pipe or a device.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and nothing is written through one", str(path))
    flags |= os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags | os.O_WRONLY, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return descriptor


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file's content, or make the file; returns when it is on the disk.

    Raises:
        OSError: it cannot be written. What was there before still is, and nothing is left beside.
    """
    with _replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a regular file, or the one that a link names, to where it is whole or not at all.

    Raises:
        OSError: one cannot be read, or the other not written.
        FormatError: the source is no regular file.
    """
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    with open_regular(source, follow=True) as data, _replacing(target) as file:
        shutil.copyfileobj(data, file, 1 << 20)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of another, or none, once it is written and on the disk."""
    part = path.with_name(f".{path.name}.part")
    try:
        with create_file(part) as file:
            yield file
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

        Other names of the same file (hard links) keep what they have: it is copied first.

        Raises:
            OSError: it cannot be opened, is there already, or is no regular file.
        """
        flags = os.O_APPEND | (os.O_EXCL if mode == "x" else 0)
        self._path = path
        self._file = open_to_write(path, flags)
        if os.fstat(self._file).st_nlink > 1:
            os.close(self._file)
            _copy(path, path)
            self._file = open_to_write(path, flags)

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


def read_lines(path: Path, limit: int = MAX_LINES) -> list[str]:
    """The whole lines of a file, without their ends: a last one that was cut short is left out.

    Raises:
        OSError: it cannot be read.
        FormatError: it is no regular file, or larger than `limit` bytes.
    """
    try:
        with open_regular(path, limit) as file:  # which a run may be writing to
            whole, _, _ = file.read(os.fstat(file.fileno()).st_size).rpartition(b"\n")
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
