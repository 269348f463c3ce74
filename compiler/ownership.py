"""Which modules this user's own ppoc wrote, by their checksums, in the user's cache folder.

A record is an empty file named after a SHA-256, which nobody but the user can make there. It spares
compiling a lock again to see that a module is what it compiles to, and outlives the version of ppoc
that wrote the module. Without it, such as after the cache is cleared, nothing is lost but that.
"""

import contextlib
import os
from pathlib import Path


def remember(checksum: str) -> None:
    """Record that the module of this checksum was written here; where that fails, it is not."""
    with contextlib.suppress(OSError, RuntimeError):
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / checksum).touch(mode=0o600)


def is_own(checksum: str) -> bool:
    """Whether this user's ppoc wrote the module of this checksum."""
    try:
        folder = _folder()
        return _only_mine(folder) and _only_mine(folder / checksum)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return False


def _folder() -> Path:
    """`modules` in PPOC_CACHE, or in `ppoc` of the user's cache folder."""
    own = os.environ.get("PPOC_CACHE")
    if own:
        return Path(own) / "modules"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ppoc" / "modules"


def _only_mine(path: Path) -> bool:
    found = path.lstat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022
