"""`ppoc init`: a first spec."""

from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.options import Trust
from ppoc.cli.specs.zoo import write_new
from ppoc.compiler.kinds import KINDS


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("spec.yaml"),
    env: Annotated[str, typer.Option(help="A Gymnasium environment.")] = "CartPole-v1",
    steps: Annotated[int, typer.Option(min=1, help="Environment steps to train for.")] = 100_000,
    kind: Annotated[
        str,
        typer.Option(
            metavar="|".join(KINDS), help="An agent in an environment, or a language model."
        ),
    ] = next(iter(KINDS)),
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")] = False,
    trust: Trust = False,
) -> None:
    """Write a starter spec, checked before it is written."""
    from ppoc.compiler.resolve import resolve_text

    if path.suffix not in (".yaml", ".yml"):
        terminal.fail(terminal.MISUSE, f"{path} should end in .yaml")
    if kind not in KINDS:
        terminal.fail(terminal.MISUSE, f"--kind {kind}: it is {' or '.join(KINDS)}")
    text = KINDS[kind].starter(str(path), env, steps)
    KINDS[kind].try_starter(resolve_text(text, str(path)), trust=trust)
    write_new(path, text, force)
