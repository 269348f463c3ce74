"""`ppoc compare`: which setting is better, and how sure can one be?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.reporting.comparison import Comparison


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS_OR_EXPERIMENT…",
            help="Experiment folders, run folders, or CSV files of other libraries' runs.",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(help="Setting to hold others against.", show_default="the experiment's"),
    ] = None,
    metric: Annotated[
        Literal["evaluation", "auc", "training"],
        typer.Option(help="Final evaluation, area under the curve, or last return of training."),
    ] = "evaluation",
    confidence: Annotated[
        float | None,
        typer.Option(help="Of intervals and verdicts.", show_default="the experiment's, or 0.95"),
    ] = None,
    margin: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER or SHARE%",
            help="Difference of scores that matters, or a share of what the baseline learnt.",
            show_default="the experiment's, or 5%",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Return to count the steps to.", show_default="the experiment's"),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT=COLUMN,…",
            help="Columns of CSV files: setting, task, seed, step, return.",
            show_default="known names",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a statistic a row.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a table for LaTeX.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the learning curves, too; needs matplotlib.", show_default=False),
    ] = None,
) -> None:
    """Compare settings over seeds and tasks, and say in words which is better.

    No claim is made from one seed, and what is left out is said. docs/compare.md has the equations.
    """
    if as_json + as_csv + as_latex > 1:
        terminal.fail(terminal.MISUSE, "give one of --json, --csv and --latex")
    if confidence is not None and not 0 < confidence < 1:
        terminal.fail(terminal.MISUSE, "--confidence is a number between 0 and 1, such as 0.95")
    if as_json or as_csv or as_latex:
        terminal.only_results()
    from ppoc.formats.reading import FormatError
    from ppoc.reporting.comparison import compare_paths
    from ppoc.reporting.csv_names import chosen
    from ppoc.reporting.documents import csv_of, document, latex_of
    from ppoc.reporting.inputs import questions
    from ppoc.reporting.text import text_of

    groups = questions(paths)
    if len(groups) > 1 and (as_json or as_csv or as_latex or plot is not None):
        terminal.fail(
            terminal.MISUSE,
            f"these are {len(groups)} questions, as their tasks and their settings differ: "
            "--json, --csv, --latex and --plot take one; compare them one at a time",
        )
    try:
        several = [
            compare_paths(
                group,
                columns=chosen(columns) if columns else None,
                baseline=baseline,
                confidence=confidence,
                threshold=threshold,
                metric=metric,
                **_margin(margin),
            )
            for group in groups
        ]
    except FormatError as error:
        terminal.fail(terminal.MISUSE, str(error))
    if len(several) > 1:
        for group, found in zip(groups, several, strict=True):
            terminal.show(f"{printable(', '.join(map(str, group)))}\n\n{text_of(found)}\n")
        return
    found = several[0]
    if plot is not None:
        _draw(found, plot)
    if as_json:
        terminal.data(terminal.as_json(document(found)))
    elif as_csv:
        terminal.put(csv_of(found), end="")
    elif as_latex:
        terminal.put(latex_of(found), end="")
    else:
        terminal.show(text_of(found))


def _margin(text: str | None) -> dict[str, float]:
    """A margin as `compare_paths` takes it: a difference, or a share of a range."""
    if text is None:
        return {}
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        terminal.fail(terminal.MISUSE, "--margin is a difference such as 20, or a share such as 5%")
    return {"share": value / 100} if text.endswith("%") else {"margin": value}


def _draw(found: "Comparison", path: Path) -> None:
    from ppoc.reporting.curves import draw
    from ppoc.reporting.pictures import panels

    bands, notes = panels(found)
    for note in notes:
        terminal.say(f"note: {printable(note)}")
    if not bands:
        terminal.fail(terminal.MISUSE, "no run has a curve that could be drawn")
    try:
        draw(bands, path)
    except ImportError:
        terminal.fail(terminal.MISUSE, "--plot needs matplotlib: pip install 'ppoc[plot]'")
    except (OSError, ValueError) as error:
        terminal.fail(terminal.MISUSE, f"cannot draw {path}: {error}")
