"""Folders that nobody but their user can change, for what is run.

A cache of compiled code is a program. It is used only where each folder on the way to it belongs to
the user or to the system, and nobody else can write to it, so that nobody else can put a file there
or another folder in its place.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

MAX_LINKS = 40  # on the way to a folder, as the system allows


class UnsafeError(Exception):
    """A folder that others can change, or that cannot be made; the text says why and what to do."""


def cache_folder() -> Path:
    """Where ppoc keeps what it compiled: PPOC_CACHE, or `ppoc` in the user's cache folder.

    Raises:
        UnsafeError: there is no home folder.
    """
    own = os.environ.get("PPOC_CACHE")
    if own:
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ppoc"
    except RuntimeError as error:
        raise UnsafeError("there is no home folder for a cache: set PPOC_CACHE") from error


def private_folder(folder: Path) -> Path:
    """A folder for this user alone, mode 700, made if need be; its path leads over no link.

    Raises:
        UnsafeError: another user can change it or a folder above it, or it cannot be made.
    """
    found = owned_folder(folder)
    try:
        if found.stat().st_mode & 0o077:  # others could read it
            found.chmod(0o700)
    except OSError as error:
        raise UnsafeError(f"{found} cannot be made private: {error.strerror}") from error
    return found


def owned_folder(folder: Path) -> Path:
    """A folder that only this user can change, made if need be; its path leads over no link.

    Links above it are followed where the user or the system made them.

    Raises:
        UnsafeError: another user can change it or a folder above it, or it cannot be made.
    """
    try:
        *above, name = Path(os.path.abspath(folder)).parts
        found = _walk(above[1:]) / name
        if _is_link(found):
            raise UnsafeError(f"{found} is a link: set the folder to where it leads")
        status = found.lstat()
        if status.st_uid != os.getuid():
            raise UnsafeError(f"{found} belongs to another user")
        if status.st_mode & 0o022:  # sticky
            raise UnsafeError(f"others can write to {found}")
        if not os.access(found, os.W_OK | os.X_OK):
            raise UnsafeError(f"{found} cannot be written")
    except OSError as error:
        raise UnsafeError(f"{folder} cannot be made: {error.strerror or error}") from error
    return found


def shared_folder(folder: Path) -> Path:
    """A folder where nobody can exchange what this user makes in it, such as /tmp; by its own path.

    Raises:
        UnsafeError: others can.
    """
    try:
        return _walk(Path(os.path.abspath(folder)).parts[1:])
    except OSError as error:
        raise UnsafeError(f"{folder} cannot be used: {error.strerror}") from error


def _walk(parts: Sequence[str]) -> Path:
    """A folder by its own path, every step on the way checked, and made where there is none."""
    ahead, at, links = list(reversed(parts)), Path("/"), 0
    while ahead:
        step = at / ahead.pop()
        if not _is_link(step):
            at = step
            continue
        links += 1
        if links > MAX_LINKS:
            raise UnsafeError(f"{step} leads over too many links")
        # Step by step as well, since a link may lead over links of others.
        ahead += reversed(Path(os.path.normpath(at / step.readlink())).parts[1:])
        at = Path("/")
    return at


def _is_link(step: Path) -> bool:
    """Whether a step on the way is a link; a folder that is missing is made.

    Raises:
        UnsafeError: somebody else than the user or the system owns it, or can write to it. Where
            only owners can remove what is theirs, as in /tmp, that is no harm.
    """
    try:
        status = step.lstat()
    except FileNotFoundError:
        step.mkdir(mode=0o700)
        status = step.lstat()
    if status.st_uid not in (os.getuid(), 0, Path("/").stat().st_uid):
        raise UnsafeError(f"{step} belongs to another user")
    if stat.S_ISLNK(status.st_mode):
        return True
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeError(f"{step} is not a folder")
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        raise UnsafeError(f"others can write to {step}: empty it and `chmod go-w {step}`")
    return False


def is_private(path: Path) -> bool:
    """Whether this is a regular file that only this user can change; a link is none."""
    try:
        status = path.lstat()
    except OSError:
        return False
    mine = status.st_uid == os.getuid() and not status.st_mode & 0o022
    return mine and stat.S_ISREG(status.st_mode)
