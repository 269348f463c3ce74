"""`ppoc run`: train, evaluate, and leave a run folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from ppoc.cli import terminal, witness
from ppoc.cli.folders import Modified, holds_run, import_text, is_language_model, module_text
from ppoc.cli.options import Debug, Overrides, Seed, Trust

if TYPE_CHECKING:
    from ppoc.runtime.run.progress import Mode


class Ended(NamedTuple):
    """How training ended."""

    stopped: str | None  # where a signal stopped it
    document: dict[str, Any]  # how, for programs
    lines: Sequence[str] = ()  # what it came to, for people


def run(
    target: Annotated[
        Path,
        typer.Argument(
            help="A spec file, a compiled folder, or a run folder with --resume or --again."
        ),
    ],
    overrides: Overrides = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Train a run folder's spec anew, in a new folder.")
    ] = False,
    seed: Seed = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None,
        typer.Option(help="Where to train.", show_default="as the spec says"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Run folder, new.", show_default="runs/NAME-N"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Progress as JSON lines.")] = False,
    until: Annotated[
        Literal["sft", "reward", "ppo"] | None,
        typer.Option(help="Stage of a language model to stop after; --resume goes on."),
    ] = None,
    trust: Trust = False,
    modified: Modified = False,
    debug: Debug = False,
) -> None:
    """Train an agent or a language model and evaluate it; all lands in one run folder."""
    changes = [*(overrides or []), *([f"training.seed={seed}"] if seed is not None else [])]
    if json:
        terminal.only_results()
    mode: Mode = "json" if json else "quiet" if quiet else "auto"
    # Threads of torch that wait for each other should sleep: beside other work, those that spin
    # take many times as long. It is read once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if resume and again:
        terminal.fail(terminal.MISUSE, "either --resume or --again")
    if resume:
        folder = _folder_to_resume(target, changes, out)
    else:
        if not again and holds_run(target):
            goes_on = "takes it as it is, without changes" if changes else "goes on with it"
            anew = "--again trains its spec anew, in a new folder"
            terminal.fail(terminal.MISUSE, f"{target} holds a run: --resume {goes_on}, {anew}")
        folder = _prepare(target, changes, out, trust, modified)
    text = module_text(folder, modified=modified, trust=trust)  # before anything is written there
    witness.split(folder)
    module = import_text(folder, text)
    if until is not None and not is_language_model(module):
        terminal.fail(terminal.MISUSE, "--until is for specs of `kind: rlhf`")
    _execute(module, folder, device, resume, mode, until, debug)


def _folder_to_resume(target: Path, changes: list[str], out: Path | None) -> Path:
    if changes or out:
        terminal.fail(terminal.MISUSE, "--resume takes a run as it is: no -s, --seed or --out")
    if not (target / "module.py").is_file():
        terminal.fail(terminal.MISUSE, f"--resume takes a run folder, which {target} is not")
    return target


def _prepare(
    target: Path, changes: list[str], out: Path | None, trust: bool, modified: bool
) -> Path:
    """A new run folder with the compiled files in it."""
    from ppoc.compiler.output.build import LOCK, compile_spec
    from ppoc.compiler.resolve import resolve

    if target.is_dir() and not changes:
        return _copied(target, out, trust, modified)
    resolved = resolve(target / LOCK if target.is_dir() else target, changes)
    compiled = compile_spec(resolved, trust=trust)
    terminal.report(compiled.warnings)
    if compiled.length:
        terminal.say(compiled.length)
    folder = new_folder(out, compiled.name)
    compiled.write(folder)
    return folder


def _copied(target: Path, out: Path | None, trust: bool, modified: bool) -> Path:
    """A new run folder with the files of a compiled one."""
    from ppoc.compiler.output.build import LOCK, MANIFEST, MODULE
    from ppoc.compiler.output.manifest import FolderError, read_file
    from ppoc.compiler.rlhf.build import COPIES
    from ppoc.formats.files import copy_whole, write_whole

    texts = {MODULE: module_text(target, modified=modified, trust=trust)}
    try:
        texts |= {name: read_file(target / name) for name in (LOCK, MANIFEST)}
    except FolderError as error:
        terminal.fail(terminal.MISUSE, f"{target} is not a compiled folder: {error}")
    folder = new_folder(out, target.resolve().name)
    for name, text in texts.items():
        write_whole(folder / name, text)
    for name in COPIES:
        if (target / name).is_file():
            copy_whole(target / name, folder / name)
    return folder


def new_folder(out: Path | None, name: str) -> Path:
    """Make a folder that no other run has; exclusive, so that two runs cannot both get it."""
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            terminal.fail(
                terminal.MISUSE, f"{out} is not empty; give another --out, or --resume it"
            )
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            terminal.fail(terminal.MISUSE, f"cannot make {out}: {error.strerror}")
        return out
    number = 1
    while True:
        folder = Path("runs") / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            terminal.fail(terminal.MISUSE, f"cannot make {folder}: {error.strerror}")


def _execute(
    module: ModuleType,
    folder: Path,
    device: str | None,
    resume: bool,
    mode: "Mode",
    until: str | None,
    debug: bool,
) -> None:
    if mode != "quiet":
        terminal.say(f"run folder: {folder}")
    from ppoc.runtime.errors import RunError

    try:
        if is_language_model(module):
            ended = _train_stages(module, folder, device, until, mode)
        else:
            ended = _train(module, folder, device, resume, mode)
    except RunError as error:
        terminal.fail_by(error, debug=debug)
    except KeyboardInterrupt:  # before training began, between stages, or after it ended
        terminal.fail(terminal.RUN_FAILED, "stopped")
    if mode == "json":
        terminal.tell(terminal.as_json({"event": "result", **ended.document}, indent=None))
    if ended.stopped:
        terminal.say(f"stopped {ended.stopped}; `ppoc run {folder} --resume` goes on")
        raise typer.Exit(terminal.RUN_FAILED)
    if mode != "json":
        for line in (*ended.lines, f"run folder: {folder}"):
            terminal.tell(line)


def _train(
    module: ModuleType, folder: Path, device: str | None, resume: bool, mode: "Mode"
) -> Ended:
    from ppoc.runtime.evaluation.evaluate import describe
    from ppoc.runtime.run.launch import execute
    from ppoc.runtime.run.results import result_document

    result = execute(module, folder, device=device, resume=resume, mode=mode)
    document = {"folder": str(folder), **result_document(result)}
    if not result.finished:
        return Ended(f"at {result.steps:,} steps", document)
    lines = []
    if result.earlier:
        lines = [f"the run is finished, at {result.steps:,} steps; there is nothing to resume"]
    else:
        included = "evaluation included" if result.evaluation else "without an evaluation"
        lines = [f"{result.steps:,} steps in {result.seconds:.1f} s, {included}"]
    if result.evaluation is not None:
        lines.append(describe(result.evaluation))
    else:
        lines.append(f"`evaluation.episodes` is 0; `ppoc eval {folder}` evaluates")
    return Ended(None, document, lines)


def _train_stages(
    module: ModuleType, folder: Path, device: str | None, until: str | None, mode: "Mode"
) -> Ended:
    """Train a language model, stage by stage; stages that the folder has are not repeated."""
    from ppoc.runtime.rlhf.launch import execute, report, result_document
    from ppoc.runtime.rlhf.stage import UNITS

    result = execute(module, folder, device=device, mode=mode, until=until)
    document = {"folder": str(folder), **result_document(result)}
    if result.stopped:
        return Ended(f"in {result.stage} after {result.steps:,} {UNITS[result.stage]}", document)
    lines = [report(result)]
    if not result.finished:
        lines.append(f"{result.stage} is done; `ppoc run {folder} --resume` goes on")
    return Ended(None, document, lines)
