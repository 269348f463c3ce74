"""The folders where torch and the C++ compiler that it calls may keep files.

Torch's own default is a folder under the shared temporary one, named after the user: whoever makes
it first has his code run. Here everything is in ppoc's cache, which `private` looks at first:

    modules, *.pt2, *.json     what is kept
    inductor                   what torch keeps by itself: compiled blocks, headers
    build-…                    what a process needs while it runs; it goes when the process ends
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ppoc.formats.cxx import INSTALL, has_compiler, wanted
from ppoc.formats.private import (
    UnsafeError,
    cache_folder,
    owned_folder,
    private_folder,
    shared_folder,
)
from ppoc.runtime.errors import RunError

KEPT = 200  # packages, of some 2 MB each
LEFT_OVER = 600.0  # seconds after which a folder that no process holds was left by a killed one
INDUCTOR = "TORCHINDUCTOR_CACHE_DIR"
# Other folders of compiled code, which these libraries choose well where nobody sets them.
OTHERS = {
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "PYTORCH_KERNEL_CACHE_PATH": "kernels",
}

_chosen: set[str] = set()  # values of INDUCTOR that are from here, not from the user
_own: dict[tuple[int, Path], Path] = {}  # process and cache → the process's folder there
_instead: dict[tuple[int, str], Path] = {}  # process and what is wrong with the cache → another


def require_compiler(lead: str = "") -> None:
    """Raise RunError, its text beginning with `lead`, where there is no C++ compiler."""
    if not has_compiler():
        raise RunError(f"{lead}no C++ compiler is found ({wanted()}): {INSTALL}")


def reason(error: Exception) -> str:
    """Why compiling failed, in one line."""
    said = str(error).strip().partition("\n")[0]
    return said if isinstance(error, RunError | UnsafeError) else f"{type(error).__name__}: {said}"


def cache(message: Callable[[str], None]) -> Path:
    """Ppoc's cache; a folder for this process alone where others can change the cache.

    Args:
        message: told why, once a process.

    Raises:
        UnsafeError: others can change the folder of temporary files too.
    """
    try:
        return private_folder(cache_folder())
    except UnsafeError as error:
        key = os.getpid(), str(error)
        if key not in _instead:
            _instead[key] = _fleeting(shared_folder(Path(tempfile.gettempdir())), "ppoc-build-")
            message(f"{error}; what is compiled is not kept")
        return _instead[key]


def _fleeting(parent: Path, prefix: str) -> Path:
    """A new folder that goes when this process ends; those of killed processes go now."""
    remove_leftovers(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the process ends, however it does
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not a fork of it
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove folders of this user's processes that were killed; never one that is in use."""
    for folder in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < LEFT_OVER:
                continue
            lock = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def scratch(message: Callable[[str], None]) -> Path:
    """This process's own folder, for what it needs while it runs; raises as `cache` does."""
    parent = cache(message)
    key = os.getpid(), parent
    if key not in _own or not _own[key].is_dir():
        _own[key] = _fleeting(parent, "build-")
    return _own[key]


def prune(folder: Path) -> None:
    """Remove the packages that have not been loaded for longest, and notes, beyond KEPT of each."""
    for pattern in ("*.pt2", "*.json"):
        with contextlib.suppress(OSError):  # another run may have been faster
            newest = sorted(folder.glob(pattern), key=lambda path: -path.stat().st_mtime)
            for path in newest[KEPT:]:
                path.unlink()


@contextlib.contextmanager
def one_at_a_time(package: Path, waits: str, message: Callable[[str], None]) -> Iterator[None]:
    """Be the one process that makes a package; the others wait, and then find it there.

    Args:
        waits: said where another one is making it.

    Raises:
        OSError: there can be no lock beside it.
    """
    path = package.with_suffix(".lock")
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message(waits)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield
        with contextlib.suppress(OSError):  # the package is there: who comes now does not ask
            path.unlink()
    finally:
        os.close(lock)


@contextlib.contextmanager
def temporary_files(message: Callable[[str], None]) -> Iterator[Path]:
    """Let Python, torch and the C++ compiler make their temporary files in `scratch`, given.

    Raises:
        UnsafeError: as `cache`.
    """
    folder = scratch(message)
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        _restore("TMPDIR", variable)


@contextlib.contextmanager
def building(message: Callable[[str], None], *, keeps: bool) -> Iterator[Path]:
    """Let torch compile within ppoc's folders, or those that the user chose; gives `scratch`.

    Args:
        message: told where a folder that the user chose is one that others can change: ppoc's own
            is taken instead.
        keeps: whether torch is to keep what it compiles, for this process and later ones.

    Raises:
        UnsafeError: as `cache`.
    """
    _set_folders(message)
    with temporary_files(message) as folder:
        kept = os.environ[INDUCTOR]
        if not keeps and kept in _chosen:
            os.environ[INDUCTOR] = str(folder / "inductor")
        try:
            yield folder
        finally:
            os.environ[INDUCTOR] = kept


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _set_folders(message: Callable[[str], None]) -> None:
    """Set caches for the rest of the process, since functions may be compiled again later."""
    root = cache(message)
    chosen = os.environ.get(INDUCTOR)
    # Torch sets the variable to its default once it is asked.
    default = str(Path(tempfile.gettempdir()) / "torchinductor_")
    by_torch = chosen is None or chosen in _chosen or chosen.startswith(default)
    if by_torch or not _is_safe(INDUCTOR, message):
        os.environ[INDUCTOR] = str(private_folder(root / "inductor"))
        _chosen.add(os.environ[INDUCTOR])
    for name, place in OTHERS.items():
        if name in os.environ and not _is_safe(name, message):
            os.environ[name] = str(private_folder(root / place))
    _redirect(os.environ[INDUCTOR])


def _is_safe(name: str, message: Callable[[str], None]) -> bool:
    """Whether only the user can change the folder that a variable of the environment names."""
    try:
        os.environ[name] = str(owned_folder(Path(os.environ[name])))
    except UnsafeError as error:
        message(f"{name}: {error}; ppoc's own folder is taken instead")
        return False
    return True


def _redirect(folder: str) -> None:
    """Send elsewhere what torch puts into its default folder whatever the variable says.

    Precompiled headers are such, and they are part of every library that is compiled.
    """
    from torch._inductor import codecache
    from torch._inductor.runtime import cache_dir_utils, runtime_utils

    modules: tuple[Any, ...] = (cache_dir_utils, runtime_utils, codecache)
    for module in modules:
        module.default_cache_dir = lambda: folder
    torch_code: Any = codecache
    headers = f"{folder}/precompiled_headers"
    if headers != torch_code._HEADER_DIR:
        torch_code._HEADER_DIR, torch_code._HEADER_LOCK_DIR = headers, f"{headers}/locks"
        torch_code._precompile_header.cache_clear()
