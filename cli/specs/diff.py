"""`ppoc diff`: what differs between two specs, in meaning."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import EITHER, resolved


def diff(
    left: Annotated[Path, typer.Argument(help=EITHER, show_default=False)],
    right: Annotated[Path, typer.Argument(help="Another, of any of these.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which values differ between two specs, defaults and presets included, and say how many.

    Changing several things at once hides which of them mattered; this shows how many were changed.
    """
    from ppoc.compiler.difference import differences
    from ppoc.compiler.front.advice import LECTURE

    specs = resolved(left), resolved(right)
    kinds = [f"`kind: {spec.kind.name}`" for spec in specs]
    if kinds[0] != kinds[1]:
        terminal.fail(terminal.MISUSE, f"one spec is of {kinds[0]}, the other of {kinds[1]}")
    rows = differences(*specs)
    if as_json:
        terminal.put(terminal.as_json([row._asdict() for row in rows]))
        return
    if not rows:
        terminal.show("the specs mean the same")
        return
    width = max(len(row.path) for row in rows)
    for row in rows:
        left_text, right_text = (json.dumps(value) for value in (row.left, row.right))
        origins = f"{row.left_origin} → {row.right_origin}"
        terminal.show(f"{row.path:<{width}}  {left_text} → {right_text}  ({origins})")
    if len(rows) == 1:
        terminal.show("1 value differs")
        return
    terminal.show(f"{len(rows)} values differ")
    advice = "change one at a time, or a better run will not say which of them helped"
    terminal.show(f"{advice} ({LECTURE})")
