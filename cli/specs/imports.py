"""`ppoc import`: settings and models of other libraries become ppoc's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import new_folder
from ppoc.cli.options import Overrides, Trust
from ppoc.cli.specs.zoo import write_new
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.compiler.compact import Note
    from ppoc.importing.rl_zoo import Imported

app = typer.Typer(
    help="Make specs and runs of other libraries' settings and models.", no_args_is_help=True
)

Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")]


@app.command("rl-zoo")
def rl_zoo(
    file: Annotated[Path, typer.Argument(help="Such as RL Zoo's ppo.yml.", show_default=False)],
    env: Annotated[
        str | None,
        typer.Option(help="Only this environment; also one that the file has no entry for."),
    ] = None,
    algorithm: Annotated[
        Literal["ppo", "a2c", "trpo", "ppo-lstm"] | None,
        typer.Option(help="What the file is for.", show_default="from its name and keys"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the specs.", show_default="here")
    ] = None,
    force: Force = False,
) -> None:
    """Turn the entries of an RL Zoo hyper-parameter file into specs that mean the same.

    What a spec cannot say is a comment in it, and printed. An entry that has no spec is refused
    with the reason, and the others are written.
    """
    from ppoc.importing.rl_zoo import convert

    folder = out or Path()
    refused = written = 0
    for imported in convert(file, algorithm, env):
        if imported.problems:
            refused += 1
            terminal.say(f"refused: {printable(imported.entry)}")
            terminal.report(imported.problems)
            continue
        if imported.text:
            _write(imported, folder, force)
            written += 1
        _say(imported.notes)
    if refused:
        terminal.say(f"{written} written, {refused} refused")
        raise typer.Exit(terminal.SPEC_IS_WRONG)
    terminal.say(f"ok: {terminal.count(written, 'spec')} written")


def _write(imported: "Imported", folder: Path, force: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot make {folder}: {error.strerror}")
    write_new(folder / f"{imported.name}.yaml", imported.text, force)


def _say(notes: "list[Note]") -> None:
    for note in notes:
        terminal.say(f"  {'.'.join(note.path)}: {printable(note.text)}")


@app.command()
def sb3(
    model: Annotated[Path, typer.Argument(help="What `model.save` wrote.", show_default=False)],
    env: Annotated[
        str, typer.Option(help="The environment of the model, which its file does not name.")
    ],
    overrides: Overrides = None,
    trust: Trust = False,
    normalization: Annotated[
        Path | None,
        typer.Option(help="Statistics of VecNormalize, as an .npz.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Run folder, new.", show_default="runs/NAME-N"),
    ] = None,
) -> None:
    """Make a run folder of a model of PPO, MaskablePPO, A2C or TRPO, for `ppoc eval`.

    The policy takes the same actions, or the model is refused. Nothing of the file is unpickled.
    The statistics of VecNormalize are a pickle, and not read: save them from Python with
    `numpy.savez(FILE, mean=…, var=…, count=…, clip=…, epsilon=…)`.
    """
    from ppoc.importing.sb3 import convert, read_statistics, write

    statistics = read_statistics(normalization) if normalization else None
    imported = convert(model, env, overrides, statistics, trust=trust)
    terminal.report(imported.compiled.warnings)
    _say(imported.notes)
    if normalization is None:
        unknown = (
            "the file does not say whether VecNormalize scaled observations; here nothing does"
        )
        terminal.say(f"  env.normalize: {unknown} (--normalization)")
    folder = new_folder(out, imported.compiled.plan.spec.name)
    try:
        write(imported, folder)
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {folder}: {error.strerror}")
    terminal.show(f"run folder: {folder}")
