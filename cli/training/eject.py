"""`ppoc eject`: a compiled folder that runs without ppoc."""

from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, compiled_into, new_folder
from ppoc.cli.options import Overrides, Trust


def eject(
    target: Annotated[
        Path,
        typer.Argument(help="A spec file, a compiled folder or a run folder.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write, new.", show_default=False)
    ],
    overrides: Overrides = None,
    trust: Trust = False,
    modified: Modified = False,
) -> None:
    """Write a folder whose `module.py` trains and evaluates without ppoc.

    The files of ppoc's runtime lie beside it. It needs torch, numpy, gymnasium and safetensors, and
    what else the module itself imports.
    """
    from ppoc.exporting.eject import eject as ejected

    folder = compiled_into(
        lambda name: new_folder(out, name), target, overrides or [], trust=trust, modified=modified
    )
    try:
        ejected(folder.path)
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {out}: {error.strerror}")
    terminal.show(str(out / "module.py"))
