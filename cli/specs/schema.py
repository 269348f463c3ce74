"""`ppoc schema`: the spec language for editors."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal


def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write.", show_default="standard output"),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the language reference instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of specs, so that an editor completes and checks them.

    Put `# yaml-language-server: $schema=ppoc.schema.json` at the top of a spec; docs/editor.md has
    the settings of editors.
    """
    from ppoc.compiler.reference import markdown as reference
    from ppoc.compiler.schema import json_schema

    schema = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    text = reference() if markdown else schema
    if out is None:
        terminal.put(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {out}: {error.strerror}")
