"""`ppoc describe`: a spec in plain English."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import EITHER, resolved


def describe(
    spec: Annotated[Path, typer.Argument(help=EITHER, show_default=False)],
) -> None:
    """Say a spec in English; `ppoc draft` makes the same spec of it again."""
    from ppoc.draft.describe import describe as in_english

    text, unsaid = in_english(resolved(spec))
    terminal.show(textwrap.fill(text, 88))
    if unsaid:
        terminal.say(f"English has no words here for: {', '.join(unsaid)}")
