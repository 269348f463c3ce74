"""`ppoc export`: a trained policy for other programs, or for a model hub."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, import_agent, import_module, is_language_model
from ppoc.cli.options import Debug, RunFolder, Trust
from ppoc.formats.text import printable


def export(
    folder: RunFolder,
    form: Annotated[
        Literal["onnx", "torchscript", "torch-export", "hub", "transformers"],
        typer.Option("--format", help="What to write.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="File; for hub and transformers, a folder.",
            show_default="in the run folder",
        ),
    ] = None,
    trust: Trust = False,
    modified: Modified = False,
    debug: Debug = False,
) -> None:
    """Write the policy of a run: one function from what its environment gives to what it takes.

    Flattening, normalisation of observations and bounds of actions are in it. Its inputs and
    outputs are printed, and are in the file as JSON. The file is loaded again and compared with
    the run's own policy before it is kept. `hub` writes a folder with a model card,
    the spec, the module, the weights and the evaluation. `transformers` writes the newest language
    model of a run with its tokenizer, as transformers itself saves them.
    """
    if form == "transformers":
        _save_language_model(folder, out or folder / "model", trust, modified)
        return
    from ppoc.exporting import formats, hub
    from ppoc.exporting.policy import ExportError
    from ppoc.runtime.envs.vector import EnvironmentFailure
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.records.checkpoint import CheckpointError

    target = out or folder / ("hub" if form == "hub" else formats.FILES[form])
    module = import_agent(folder, modified=modified, trust=trust)
    said: list[str] = []
    try:
        if form == "hub":
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                terminal.fail(terminal.MISUSE, f"{target} is not empty; give another --out")
            hub.export(module, folder, target)
        else:
            said = formats.export(module, folder, form, target)
    except (ExportError, RunError, CheckpointError, EnvironmentFailure) as error:
        terminal.fail_by(error, debug=debug)
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {target}: {error.strerror}")
    for line in said:
        terminal.say(f"  {printable(line)}")
    terminal.show(str(target))


def _save_language_model(folder: Path, target: Path, trust: bool, modified: bool) -> None:
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.records.checkpoint import CheckpointError
    from ppoc.runtime.rlhf.saving import save_newest

    module = import_module(folder, modified=modified, trust=trust)
    if not is_language_model(module):
        terminal.fail(terminal.MISUSE, f"{folder} is of an agent, which is no language model")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        terminal.fail(terminal.MISUSE, f"{target} is not empty; give another --out")
    try:
        save_newest(module, folder, target)
    except (RunError, CheckpointError) as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {target}: {error.strerror or error}")
    terminal.show(str(target))
