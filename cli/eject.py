"""`ppoc eject`: a module that runs without ppoc."""

from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, module_text
from ppoc.cli.options import Overrides, Trust
from ppoc.cli.zoo import write_new


def eject(
    target: Annotated[
        Path,
        typer.Argument(help="A spec file, a compiled folder or a run folder.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.", show_default=False)],
    overrides: Overrides = None,
    trust: Trust = False,
    modified: Modified = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")] = False,
) -> None:
    """Write one file that trains and evaluates without ppoc.

    It needs torch, numpy, gymnasium and safetensors, and envpool where the module steps with it.
    """
    from ppoc.exporting.eject import EjectError
    from ppoc.exporting.eject import eject as ejected

    try:
        text = ejected(_module_text(target, overrides or [], trust, modified))
    except EjectError as error:
        terminal.fail(terminal.MISUSE, str(error))
    write_new(out, text, force)


def _module_text(target: Path, overrides: list[str], trust: bool, modified: bool) -> str:
    from ppoc.compiler.agent.resolved import as_agent
    from ppoc.compiler.output.build import compile_spec
    from ppoc.compiler.resolve import resolve

    if not target.is_dir():
        compiled = compile_spec(as_agent(resolve(target, overrides)), trust=trust)
        terminal.report(compiled.warnings)
        return compiled.module
    if overrides:
        terminal.fail(terminal.MISUSE, "a compiled module takes no -s: eject the spec")
    text = module_text(target, modified=modified, trust=trust)
    if '\nKIND = "rlhf"\n' in text:
        terminal.fail(terminal.MISUSE, "the module of a language model cannot leave its runtime")
    return text
