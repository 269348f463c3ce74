"""`ppoc check`: is this spec right?"""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.options import Overrides
from ppoc.compiler.diagnostics import Diagnostic, SpecError, to_json


def check(
    specs: Annotated[list[Path], typer.Argument(help="Spec files.", show_default=False)],
    overrides: Overrides = None,
    probe: Annotated[
        bool, typer.Option(help="Make the environment once, to check its spaces too.")
    ] = True,
    format: Annotated[
        Literal["text", "json"], typer.Option(help="How to print what was found.")
    ] = "text",
) -> None:
    """Check specs without training anything; every problem is shown with its place and its fix."""
    found: list[Diagnostic] = []
    wrong = 0
    for path in specs:
        try:
            found += _check_one(path, overrides or [], probe)
        except SpecError as error:
            wrong += 1
            found += error.diagnostics
    if format == "json":
        print(json.dumps(to_json(found), indent=2))
    else:
        terminal.report(found)
        if not wrong:
            print(f"ok: {len(specs)} spec{'s' if len(specs) > 1 else ''} checked")
    if wrong:
        raise typer.Exit(terminal.SPEC_IS_WRONG)


def _check_one(path: Path, overrides: list[str], probe: bool) -> list[Diagnostic]:
    from ppoc.compiler.resolve import resolve

    resolved = resolve(path, overrides)
    if not probe:
        return resolved.warnings
    from ppoc.compiler.fit import plan_for
    from ppoc.compiler.lints import rewards_are_large
    from ppoc.compiler.probe import probe as probe_environment

    facts = probe_environment(resolved, choose_backend=False)
    plan_for(resolved, facts)
    advice = resolved.advice(rewards_are_large(resolved, facts.reward_range))
    return [*resolved.warnings, *advice]
