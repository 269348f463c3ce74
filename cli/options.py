"""Options that several verbs take."""

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY.PATH=VALUE",
        help="Override a value of the spec, such as `-s losses.policy.epsilon=0.1`; repeatable.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Short for `-s training.seed=…`.", show_default=False)
]
RunPath = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A run folder.", show_default=False)
]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of what fails, too.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Import the code that the spec names; it can do anything."),
]
