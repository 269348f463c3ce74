"""`ppoc export`: a trained policy for other programs, or for a model hub."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, RunFolder
from ppoc.cli.options import Debug, RunPath, Trust
from ppoc.formats.text import printable


def export(
    path: RunPath,
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
    folder = RunFolder.open(path, modified=modified, trust=trust)
    if form == "transformers":
        _save_language_model(folder, out or path / "model")
        return
    from ppoc.exporting import formats, hub
    from ppoc.exporting.policy import ExportError
    from ppoc.runtime.envs.vector import EnvironmentFailure
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.records.checkpoint import CheckpointError

    target = out or path / ("hub" if form == "hub" else formats.FILES[form])
    module = folder.only_for("control", f"--format {form}").module
    said: list[str] = []
    try:
        if form == "hub":
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                terminal.fail(terminal.MISUSE, f"{target} is not empty; give another --out")
            hub.export(module, path, target)
        else:
            said = formats.export(module, path, form, target)
    except (ExportError, RunError, CheckpointError, EnvironmentFailure) as error:
        terminal.fail_by(error, debug=debug)
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {target}: {error.strerror}")
    for line in said:
        terminal.say(f"  {printable(line)}")
    terminal.show(str(target))


def _save_language_model(folder: RunFolder, target: Path) -> None:
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.records.checkpoint import CheckpointError
    from ppoc.runtime.rlhf.saving import save_newest

    module = folder.only_for("rlhf", "--format transformers").module
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        terminal.fail(terminal.MISUSE, f"{target} is not empty; give another --out")
    try:
        save_newest(module, folder.path, target)
    except (RunError, CheckpointError) as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {target}: {error.strerror or error}")
    terminal.show(str(target))
