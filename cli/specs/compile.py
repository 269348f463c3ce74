"""`ppoc compile`: a spec becomes a module one can read."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import RunFolder
from ppoc.cli.options import Debug, Overrides, Trust
from ppoc.formats.folders import check_folder
from ppoc.formats.reading import FormatError

if TYPE_CHECKING:
    from ppoc.compiler.output.build import Compiled


def compile(
    spec: Annotated[Path, typer.Argument(help="A spec file, or a lock.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write.", show_default="compiled/NAME"),
    ] = None,
    overrides: Overrides = None,
    explain_plan: Annotated[
        bool, typer.Option("--explain-plan", help="Say what each pass decided, and why.")
    ] = False,
    prebuild: Annotated[
        bool,
        typer.Option("--prebuild", help="Also compile for this machine, so that runs start warm."),
    ] = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Compile a spec into `module.py`, `spec.lock.yaml` and `manifest.json`.

    Of an experiment, each run gets a folder with these.
    """
    from ppoc.compiler.output.build import LOCK, MODULE, compile_spec
    from ppoc.compiler.resolve import resolve

    compiled = compile_spec(resolve(spec, overrides or []), trust=trust)
    terminal.report(compiled.warnings)
    if compiled.length:
        terminal.say(compiled.length)
    folder = out or Path("compiled") / compiled.name
    try:
        if folder.exists():
            check_folder(folder)
        compiled.write(folder)
    except FormatError as error:
        terminal.fail(terminal.MISUSE, str(error))
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {folder}: {error.strerror}")
    runs = {folder / name: run for name, run in (compiled.members or {}).items()}
    if explain_plan:
        _explain(compiled, runs)
    for place in (runs or [folder]) if prebuild else ():  # what is compiled already is only found
        _prebuild(RunFolder.open(place, trust=trust), debug)
    if compiled.members is None:
        terminal.show(str(folder / MODULE))
    elif compiled.members:
        count = terminal.count(len(compiled.members), "run")
        terminal.show(f"{folder}: {count}, each in its own folder, such as {next(iter(runs))}")
    else:
        terminal.show(f"{folder / LOCK}: a search, whose runs are compiled as it goes")


def _explain(compiled: "Compiled", runs: "Mapping[Path, Compiled]") -> None:
    """Show the decisions of the passes; of many runs, those that differ, and whose they are."""
    found = {tuple(run.decisions): f"{place.name}: " for place, run in reversed([*runs.items()])}
    for decisions, whose in reversed([*(found or {tuple(compiled.decisions): ""}).items()]):
        for decision in decisions:
            terminal.show(f"{whose}{decision.name}: {decision.choice}\n    {decision.reason}")


def _prebuild(folder: RunFolder, debug: bool) -> None:
    module = folder.module
    from ppoc.runtime.errors import RunError

    try:
        built = folder.kind.prebuild(module, terminal.say)
    except RunError as error:
        terminal.fail_by(error, debug=debug)
    if built.failed:
        terminal.fail(terminal.RUN_FAILED, f"not compiled: {', '.join(built.failed)}")
    if built.ready:
        terminal.say(f"compiled and kept for runs: {', '.join(built.ready)}")
    else:
        terminal.say("nothing to compile: --explain-plan says why, `training.compile: always` asks")
