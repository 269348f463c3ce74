"""Whether the module of a folder is what its spec compiles to, and nobody's own program.

To import a module is to run it. A manifest alone proves nothing, since whoever changes a module can
change its checksum too; so a module that was not written here is compiled again from its lock, and
must come out the same.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ppoc.compiler.output import ownership
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.output.manifest import (
    LOCK,
    MANIFEST,
    MODULE,
    FolderError,
    Manifest,
    read_file,
    read_manifest,
    sha256,
)
from ppoc.compiler.resolve import resolve
from ppoc.formats.folders import check_folder
from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable

SPACES = {"OBSERVATION_SPACE": "observations", "ACTION_SPACE": "actions"}
NOTHING_SAYS = f"has no {MANIFEST} beside it, which would say what it should be"
ANYWAY = "read it, and give --modified to run it as it is"


class Verified(NamedTuple):
    """The text of a module that may be run."""

    text: str
    anew: bool = False  # it is not the folder's, of another version, but what its lock compiles to


def verified(folder: Path, *, modified: bool = False, trust: bool = False) -> Verified:
    """The text of a folder's module, which may be run.

    A module that an earlier version wrote calls a runtime that is not there any more. Its lock is
    compiled anew, in memory.

    Args:
        modified: take the module as it is; links that lead out of the folder, pipes and devices
            are refused still.
        trust: import code that the lock names, to compile it again.

    Raises:
        FolderError: the folder is no compiled folder, or its module is not that of its lock.
        SpecError: the lock does not compile here.
    """
    check(folder)
    text = read_file(folder / MODULE)
    if modified:
        return Verified(text)
    if not os.path.lexists(folder / MANIFEST):
        raise FolderError(f"{folder / MODULE} {NOTHING_SAYS}; {ANYWAY}")
    manifest = read_manifest(folder)
    if manifest.sha256.get(MODULE) != sha256(text):
        raise FolderError(f"{folder / MODULE} was changed after it was compiled: {ANYWAY}")
    if manifest.earlier:
        return Verified(_compiled(folder, manifest, trust=trust), anew=True)
    if not ownership.is_own(sha256(text)):
        _compare(folder, text, manifest, trust=trust)
        ownership.remember(sha256(text))
    return Verified(text)


def check(folder: Path) -> None:
    """See that there is nothing in a folder that leads out of it, or that one would wait for.

    Raises:
        FolderError: there is, or the folder cannot be read.
    """
    try:
        check_folder(folder)
    except (FormatError, OSError) as error:
        raise FolderError(str(error)) from error


def _compiled(folder: Path, manifest: Manifest, *, trust: bool) -> str:
    """The module that a folder's lock compiles to here."""
    lock = folder / LOCK
    if manifest.sha256.get(LOCK) != sha256(read_file(lock)):
        raise FolderError(
            f"{lock} was changed after it was compiled: compile it again with `ppoc compile {lock}`"
        )
    return compile_spec(resolve(lock), trust=trust).module


def _compare(folder: Path, text: str, manifest: Manifest, *, trust: bool) -> None:
    """Compile the lock again, and compare."""
    lock = folder / LOCK
    compiled = _compiled(folder, manifest, trust=trust)
    if compiled != text and (other := _other_spaces(text, compiled)):
        raise FolderError(
            f"{folder / MODULE} was compiled for another environment than there is here: {other}"
        )
    if compiled != text:
        theirs = printable(manifest.versions.get("ppoc", "unknown"), 40)
        raise FolderError(
            f"{folder / MODULE} is not what its {LOCK} compiles to here (its manifest says ppoc "
            f"{theirs}): compile it again with `ppoc compile {lock}`, or {ANYWAY}"
        )


def _other_spaces(theirs: str, ours: str) -> str:
    """The spaces in which two modules differ, and how; nothing where they do not."""
    found = [{n: v for n, v in _constants(text) if n in SPACES} for text in (theirs, ours)]
    return "; ".join(
        f"its {what} were {found[0][name][:200]}, and are {found[1][name][:200]}"
        for name, what in SPACES.items()
        if name in found[0] and name in found[1] and found[0][name] != found[1][name]
    )


def _constants(text: str) -> Iterator[tuple[str, str]]:
    """Names that a module's text gives values to, and the source of these."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, ast.unparse(node.value)
