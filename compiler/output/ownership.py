"""Records of modules that this user's own ppoc wrote: checksums in the user's cache folder.

A record is an empty file named after a SHA-256, which nobody but the user can make there. It spares
compiling a lock again to see that a module is what it compiles to, and outlives the version of ppoc
that wrote the module. Without it, such as after the cache is cleared, nothing is lost but that.
"""

import contextlib

from ppoc.formats.private import UnsafeError, cache_folder, is_private, private_folder

MODULES = "modules"  # in the cache


def remember(checksum: str) -> None:
    """Record that the module of this checksum was written here; where that fails, it is not."""
    with contextlib.suppress(OSError, UnsafeError):
        private_folder(cache_folder())
        (private_folder(cache_folder() / MODULES) / checksum).touch(mode=0o600)


def is_own(checksum: str) -> bool:
    """Whether this user's ppoc wrote the module of this checksum."""
    try:
        there = (cache_folder() / MODULES / checksum).exists()
        return there and is_private(private_folder(cache_folder() / MODULES) / checksum)
    except (OSError, UnsafeError):
        return False
