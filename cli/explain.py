"""`ppoc explain`: what does this spec optimise?"""

from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.options import Overrides


def explain(
    spec: Annotated[Path, typer.Argument(help="A spec file, or a lock.", show_default=False)],
    overrides: Overrides = None,
    tex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
) -> None:
    """Print a spec's objectives as mathematics, with the numbers filled in and their sources."""
    from ppoc.compiler.explanation import explain as explanation
    from ppoc.compiler.resolve import resolve

    resolved = resolve(spec, overrides or [])
    terminal.report(resolved.warnings)
    print(explanation(resolved, tex=tex))
