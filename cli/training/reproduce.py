"""`ppoc reproduce`: a published figure again, an experiment of the zoo with picture and table."""

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.training import experiment
from ppoc.compiler import zoo
from ppoc.formats.files import write_whole
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.compiler.experiment.resolved import ExperimentResolved


def reproduce(
    figure: Annotated[Literal["figure3"], typer.Argument(help="What to reproduce.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder.", show_default="runs/FIGURE")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of each algorithm.", show_default="as the experiment says"),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Environment steps of a run.", show_default="as the experiment says"
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this algorithm or environment; repeatable.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="Runs side by side.", show_default="as the machine has room"
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try failed runs again.")
    ] = False,
) -> None:
    """Run every algorithm of Figure 3 of the PPO paper in its seven environments, and draw it.

    It is the experiment `experiments/figure3` of the zoo; the same command goes on where it was
    interrupted. The picture needs matplotlib: pip install 'ppoc[plot]'.
    """
    from ppoc.experiments.run_experiment import Wishes

    spec = _spec(figure, only or [], seeds, steps)
    folder = out or Path("runs") / figure
    goes_on = folder.is_dir() and any(folder.iterdir())
    given = experiment.Given(_path(figure), (), None, (), folder, goes_on)
    try:
        experiment.run(spec, given, Wishes(jobs, retry_failed=retry_failed), "auto")
    except typer.Exit as ended:
        if ended.exit_code == terminal.RUN_FAILED:  # of some runs
            _summarise(folder, figure)
        raise
    _summarise(folder, figure)


def _path(figure: str) -> Path:
    return zoo.paths()[f"experiments/{figure}"]


def _spec(
    figure: str, only: list[str], seeds: int | None, steps: int | None
) -> "ExperimentResolved":
    """The experiment of a figure, or as much of it as is asked for."""
    from ppoc.compiler.resolve import resolve_text
    from ppoc.experiments.experiment_folder import as_experiment

    document = _parsed(_path(figure))
    variants, tasks = document["variants"], document["tasks"]
    for name in only:
        if name not in (*variants, *tasks):
            known = ", ".join((*variants, *tasks))
            terminal.fail(terminal.MISUSE, f"--only {name}: the figure has {known}")
    chosen = {name: own for name, own in variants.items() if name in only} or variants
    document["variants"] = chosen
    document["tasks"] = [task for task in tasks if task in only] or tasks
    if document["compare"]["baseline"] not in chosen:
        del document["compare"]["baseline"]
    if seeds is not None:
        document["seeds"] = seeds
    if steps is not None:
        document["set"]["training.total_steps"] = steps
    spec = as_experiment(resolve_text(json.dumps(document, indent=2), f"{figure}.yaml"))
    assert spec is not None
    return spec


def _parsed(path: Path) -> dict[str, Any]:
    from ppoc.compiler.front.source import parse

    found: dict[str, Any] = parse(path.read_text(encoding="utf-8"), path.name).plain()
    return found


def _summarise(folder: Path, figure: str) -> None:
    """Write the picture, the table, and the numbers of both, of the runs that are finished."""
    from ppoc.formats.reading import FormatError
    from ppoc.reporting.curves import draw
    from ppoc.reporting.figure import panels, rows, table

    own = _parsed(Path(str(files("ppoc.specs"))) / f"{figure}.yaml")
    notes: list[str] = []
    try:
        found = rows(folder, notes)
    except (OSError, ValueError, FormatError) as error:
        terminal.fail(terminal.RUN_FAILED, f"no table and no picture: {printable(str(error))}")
    for note in notes:
        terminal.say(f"note: {printable(note)}")
    if not found:
        return
    numbers = {
        task: {name: row.numbers() for name, row in settings.items()}
        for task, settings in found.items()
    }
    write_whole(folder / f"{figure}.json", json.dumps(numbers) + "\n")
    write_whole(folder / f"{figure}.md", table(found, own["labels"], own["published"]))
    terminal.say(f"table: {folder / f'{figure}.md'}")
    try:
        draw(panels(found, own["labels"]), folder / f"{figure}.png")
    except ImportError:
        terminal.say("no picture: it needs matplotlib (pip install 'ppoc[plot]')")
    else:
        terminal.say(f"picture: {folder / f'{figure}.png'}")
