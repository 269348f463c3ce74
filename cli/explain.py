"""`ppoc explain`: what does this spec optimise, and what does this code mean?"""

import re
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import EITHER, spec_file
from ppoc.cli.options import Overrides


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC|CODE",
            help=f"{EITHER} Or the code of an error or a warning, such as E104.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    tex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    codes: Annotated[bool, typer.Option("--codes", help="List the codes, in Markdown.")] = False,
) -> None:
    """Print a spec's objectives as mathematics, or the page of a code.

    Objectives have their numbers filled in and their sources beside them. A page says what the code
    means, shows a spec that has it, and says what to do.
    """
    from ppoc.compiler.pages import index

    if codes:
        terminal.put(index(), end="")
    elif what is None:
        terminal.fail(terminal.MISUSE, "give a spec, a code such as E104, or --codes")
    elif re.fullmatch(r"[EeWw][0-9]{3}", what) and not Path(what).exists():
        _explain_code(what.upper())
    else:
        _explain_spec(Path(what), overrides or [], tex)


def _explain_code(code: str) -> None:
    from ppoc.compiler.pages import pages

    if code not in pages():
        terminal.fail(terminal.MISUSE, f"there is no code {code}; `ppoc explain --codes` has them")
    terminal.put(pages()[code].text, end="")


def _explain_spec(spec: Path, overrides: list[str], tex: bool) -> None:
    from ppoc.compiler.resolve import resolve

    resolved = resolve(spec_file(spec), overrides)
    terminal.report(resolved.warnings)
    terminal.put(resolved.kind.explain(resolved, tex=tex))
