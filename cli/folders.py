"""Compiled folders and run folders: the module of one is imported only after a look at it."""

import os
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from ppoc.cli import terminal, zoo
from ppoc.formats.text import printable

Modified = Annotated[
    bool,
    typer.Option(
        "--modified",
        help="Run the folder's module although it is not what its spec compiles to; read it first.",
    ),
]


EITHER = "A spec or lock, one of the zoo such as `ppo/cartpole`, or a compiled or a run folder."
# Traces of training in a folder, or, of a language model, in a stage's folder of its own.
LEFT = ("run.lock", "metrics.csv", "checkpoints", "result.json")
STAGES = ("sft", "reward", "ppo")


def holds_run(folder: Path) -> bool:
    """Whether something was trained in a folder, or began to be; nothing in it is read."""
    places = [folder, *(folder / stage for stage in STAGES)]
    return any(os.path.lexists(place / name) for place in places for name in LEFT)


def spec_file(given: Path) -> Path:
    """The file of a spec: itself, one of the zoo by its name, or the lock of a folder.

    The command ends where there is none.
    """
    from ppoc.compiler.output.manifest import LOCK, MODULE, FolderError, read_file

    if not given.exists():
        return zoo.paths().get(zoo.key_of(str(given)), given)
    if not given.is_dir():
        return given
    lock = given / LOCK
    if not os.path.lexists(lock):
        ejected = os.path.lexists(given / MODULE) and "; an ejected module has none"
        terminal.fail(
            terminal.MISUSE,
            f"{given} has no {LOCK}: give a spec, one of the zoo by its name, or a compiled or a "
            f"run folder{ejected or ''}",
        )
    try:
        read_file(lock)  # which refuses links
    except FolderError as error:
        terminal.fail(terminal.MISUSE, printable(str(error)))
    return lock


def module_text(folder: Path, *, modified: bool, trust: bool) -> str:
    """The text of a folder's module, which may be run; else the command ends."""
    from ppoc.compiler.output.manifest import MODULE, FolderError
    from ppoc.compiler.output.verify import verified

    if not (folder / MODULE).exists():
        terminal.fail(terminal.MISUSE, f"{folder} has no {MODULE}: give a compiled or a run folder")
    try:
        return verified(folder, modified=modified, trust=trust)
    except FolderError as error:
        terminal.fail(terminal.MISUSE, printable(str(error)))


def import_agent(folder: Path, *, modified: bool, trust: bool) -> ModuleType:
    """The module of an agent's folder, imported; else the command ends."""
    module = import_module(folder, modified=modified, trust=trust)
    if is_language_model(module):
        terminal.fail(terminal.MISUSE, f"{folder} is of a language model, and this is for agents")
    return module


def is_language_model(module: ModuleType) -> bool:
    """Whether a module was compiled from a spec of `kind: rlhf`."""
    return getattr(module, "KIND", "control") == "rlhf"


def import_module(folder: Path, *, modified: bool, trust: bool) -> ModuleType:
    """The module of a folder, imported; else the command ends."""
    return import_text(folder, module_text(folder, modified=modified, trust=trust))


def import_text(folder: Path, text: str) -> ModuleType:
    """The module of a folder, whose text may be run, imported; else the command ends."""
    from ppoc.compiler.output.manifest import MODULE
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.run.launch import load_module

    try:
        return load_module(folder / MODULE, text.encode())
    except RunError as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
