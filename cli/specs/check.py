"""`ppoc check`: is this spec right?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.options import Overrides, Trust

if TYPE_CHECKING:
    from ppoc.compiler.batch import Report


def check(
    specs: Annotated[
        list[Path], typer.Argument(help="Spec files, or folders with specs.", show_default=False)
    ],
    overrides: Overrides = None,
    probe: Annotated[
        bool, typer.Option(help="Make the environment once, or read the data, to check them too.")
    ] = True,
    trust: Trust = False,
    format: Annotated[
        Literal["text", "json", "sarif", "github"],
        typer.Option(help="How to print what was found."),
    ] = "text",
) -> None:
    """Check specs without training anything; every problem is shown with its place and its fix."""
    from ppoc.compiler.batch import check_all

    if format != "text":
        terminal.only_results()
    paths, others = _files(specs)
    reports = check_all(paths, overrides or [], probe, trust)
    if format == "text":
        found = [diagnostic for report in reports for diagnostic in report.found]
        terminal.report(list(dict.fromkeys(found)))
    else:
        from ppoc.compiler import formats

        text = getattr(formats, f"as_{format}")(reports)
        if text:
            (terminal.put if format == "github" else terminal.data)(text)
    _conclude(reports, others, quiet=format != "text")


def _files(given: list[Path]) -> tuple[list[Path], int]:
    """The specs to check, each once, and how many other YAML files the folders have."""
    from ppoc.compiler.batch import specs_in

    paths: list[Path] = []
    others = 0
    for path in given:
        if not path.is_dir():
            paths.append(path)
            continue
        inside, left = specs_in(path)
        if not inside:
            terminal.fail(
                terminal.MISUSE, f"no specs in {path}: none of its YAML files has `ppoc:`"
            )
        paths += inside
        others += left
    return list(dict.fromkeys(paths)), others


def _conclude(reports: Sequence["Report"], others: int, *, quiet: bool) -> None:
    """The last line, and the exit code."""
    wrong = sum(report.failed for report in reports)
    found = {diagnostic for report in reports for diagnostic in report.found}
    errors = sorted(d.code for d in found if d.severity == "error")
    warnings = len(found) - len(errors)
    parts = [terminal.count(warnings, "warning")] if warnings else []
    if others:
        parts.append(f"{terminal.count(others, 'other YAML file')} left alone")
    if not wrong:
        if not quiet:
            ok = f"ok: {terminal.count(len(reports), 'spec')} checked"
            terminal.show(", ".join([ok, *parts]))
        return
    total = terminal.count(len(errors), "error")
    of = f" in {wrong} of {terminal.count(len(reports), 'spec')}" if len(reports) > 1 else ""
    parts = [f"\n{total}{of}", *parts]
    terminal.say(f"{', '.join(parts)}; `ppoc explain {errors[0]}` says more")
    raise typer.Exit(terminal.SPEC_IS_WRONG)
