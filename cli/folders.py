"""Compiled folders and run folders, as verbs get them: opened once, verified, and read lazily.

This file is in `cli`, the one layer that may import both the compiler, which verifies a module, and
the runtime, which imports it.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from ppoc.cli import terminal
from ppoc.compiler import zoo
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.compiler.front.spec import ResolvedSpec
    from ppoc.compiler.output.manifest import Manifest
    from ppoc.compiler.output.verify import Verified
    from ppoc.runtime.interface import Interface
    from ppoc.runtime.run.kind import RunKind

Modified = Annotated[
    bool,
    typer.Option(
        "--modified",
        help="Run the folder's module although it is not what its spec compiles to; read it first.",
    ),
]
EITHER = "A spec or lock, one of the zoo such as `ppo/cartpole`, or a compiled or a run folder."
# Traces of training in a folder, or in a stage's folder of its own.
LEFT = ("run.lock", "metrics.csv", "checkpoints", "result.json")
Read = TypeVar("Read")


@dataclass(frozen=True)
class RunFolder:
    """A compiled folder or a run folder. What is wrong with it ends the command, in one message.

    Attributes:
        path: of the folder; nothing in it leads out of it.
        trust: whether code that its lock names is imported.
        modified: whether its module is taken as it is.
    """

    path: Path
    trust: bool = False
    modified: bool = False

    @classmethod
    def open(cls, path: Path, *, trust: bool = False, modified: bool = False) -> "RunFolder":
        """Look through a folder; nothing of it is read yet, or run."""
        from ppoc.compiler.output.verify import check

        _or_end(lambda: check(path))
        return cls(path, trust, modified)

    @property
    def text(self) -> str:
        """The text of its module, which may be run.

        It is verified, or what its lock compiles to where an earlier version wrote the module.
        """
        return self._verified.text

    @property
    def earlier(self) -> bool:
        """Whether an earlier version of ppoc wrote its module, so that `text` is another."""
        return self._verified.anew

    @cached_property
    def _verified(self) -> "Verified":
        from ppoc.compiler.output.manifest import MODULE
        from ppoc.compiler.output.verify import verified

        if not os.path.lexists(self.path / MODULE):
            refuse_experiment(self.path)
            _end(f"{self.path} has no {MODULE}: give a compiled or a run folder")
        found = _or_end(lambda: verified(self.path, modified=self.modified, trust=self.trust))
        if found.anew:
            terminal.say(
                f"{self.path / MODULE} is of an earlier version of ppoc: using what its lock "
                "compiles to now"
            )
        return found

    @cached_property
    def manifest(self) -> "Manifest":
        """Its manifest."""
        from ppoc.compiler.output.manifest import read_manifest

        return _or_end(lambda: read_manifest(self.path))

    @cached_property
    def lock(self) -> Path:
        """The file of its lock, a spec with every value."""
        from ppoc.compiler.output.manifest import LOCK, read_file

        lock = self.path / LOCK
        if not os.path.lexists(lock):
            _end(
                f"{self.path} has no {LOCK}: give a spec, one of the zoo by its name, or a "
                "compiled or a run folder"
            )
        _or_end(lambda: read_file(lock))
        return lock

    @cached_property
    def module(self) -> ModuleType:
        """Its module, imported."""
        text = self.text
        from ppoc.compiler.output.manifest import MODULE
        from ppoc.runtime.errors import RunError
        from ppoc.runtime.run.launch import load_module

        try:
            return load_module(self.path / MODULE, text.encode())
        except RunError as error:
            terminal.fail(terminal.RUN_FAILED, str(error))

    @property
    def interface(self) -> "Interface":
        """The interface that its module declares."""
        module = self.module
        from ppoc.runtime.declared import interface_of
        from ppoc.runtime.errors import RunError

        try:
            return interface_of(module)
        except RunError as error:
            terminal.fail(terminal.RUN_FAILED, str(error))

    @property
    def kind(self) -> "RunKind":
        """The kind of its module, for launching, evaluating and reporting."""
        kind = self.interface.kind
        from ppoc.runtime.kinds import kind_named

        return kind_named(kind)

    def only_for(self, kind: str, what: str) -> "RunFolder":
        """The folder, if it is of a kind of spec; else the command ends, as `what` is for that."""
        own = self.interface.kind
        if own != kind:
            _end(f"{what} is for `kind: {kind}`, and {self.path} is of `kind: {own}`")
        return self

    def resolve(self, overrides: Sequence[str] = ()) -> "ResolvedSpec":
        """The checked spec of its lock; raises SpecError where it is none."""
        from ppoc.compiler.resolve import resolve

        return resolve(self.lock, overrides)

    @property
    def holds_run(self) -> bool:
        """Whether something was trained in it, or began to be."""
        return holds_run(self.path)


def refuse_experiment(folder: Path) -> None:
    """End a command that is for one run, where its folder has the runs of an experiment."""
    from ppoc.compiler.output.manifest import LOCK, MODULE

    one = min((path.parent for path in folder.glob(f"*/{MODULE}")), default=None)
    if one is not None and os.path.lexists(folder / LOCK):
        _end(f"{folder} is of an experiment: give one of its runs, such as {one}")


def holds_run(folder: Path) -> bool:
    """Whether something was trained in a folder, or began to be; nothing in it is read."""
    with contextlib.suppress(OSError):
        places = [folder, *(Path(entry) for entry in os.scandir(folder) if entry.is_dir())]
        return any(os.path.lexists(place / name) for place in places for name in LEFT)
    return False


def resolved(given: Path, overrides: Sequence[str] = ()) -> "ResolvedSpec":
    """The checked spec of a file, of one of the zoo by its name, or of a folder's lock.

    Raises:
        SpecError: it is wrong.
    """
    from ppoc.compiler.resolve import resolve

    if given.is_dir():
        return RunFolder.open(given).resolve(overrides)
    known = {} if given.exists() else zoo.paths()
    return resolve(known.get(zoo.key_of(str(given)), given), overrides)


def compiled_into(
    place: Callable[[str], Path],
    target: Path,
    overrides: Sequence[str],
    spec: "ResolvedSpec | None" = None,
    *,
    trust: bool,
    modified: bool,
) -> RunFolder:
    """A spec or a folder, compiled into a folder of its own.

    Args:
        place: makes that folder of the name of the spec or of the given folder.
        spec: the target, resolved, where it was before.
    """
    from ppoc.compiler.output.build import compile_spec

    if target.is_dir() and not overrides:
        given = RunFolder.open(target, trust=trust, modified=modified)
        if not given.earlier:
            return _copied(given, place)
    compiled = compile_spec(spec or resolved(target, overrides), trust=trust)
    terminal.report(compiled.warnings)
    if compiled.length:
        terminal.say(compiled.length)
    folder = place(compiled.name)
    compiled.write(folder)
    return RunFolder.open(folder, trust=trust)


def _copied(given: RunFolder, place: Callable[[str], Path]) -> RunFolder:
    """A folder with the compiled files of another."""
    from ppoc.compiler.output.build import LOCK, MANIFEST, MODULE
    from ppoc.compiler.output.manifest import read_file
    from ppoc.formats.files import copy_whole, write_whole

    data = given.manifest.data
    texts = {MODULE: given.text, LOCK: read_file(given.lock)}
    texts[MANIFEST] = read_file(given.path / MANIFEST)
    folder = place(given.path.resolve().name)
    for name, text in texts.items():
        write_whole(folder / name, text)
    for name in data:
        if (given.path / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            copy_whole(given.path / name, folder / name)
    return RunFolder.open(folder, trust=given.trust, modified=given.modified)


def new_folder(out: Path | None, name: str) -> Path:
    """Make a folder that no other run has; exclusive, so that two runs cannot both get it."""
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            terminal.fail(
                terminal.MISUSE, f"{out} is not empty; give another --out, or --resume it"
            )
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            terminal.fail(terminal.MISUSE, f"cannot make {out}: {error.strerror}")
        return out
    number = 1
    while True:
        folder = Path("runs") / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            terminal.fail(terminal.MISUSE, f"cannot make {folder}: {error.strerror}")


def _or_end(read: Callable[[], Read]) -> Read:
    """The result of reading a folder; else the command ends."""
    from ppoc.compiler.output.manifest import FolderError

    try:
        return read()
    except FolderError as error:
        _end(str(error))


def _end(text: str) -> NoReturn:
    terminal.fail(terminal.MISUSE, printable(text))
