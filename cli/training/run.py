"""`ppoc run`: train, evaluate, and leave a run folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, RunFolder, compiled_into, holds_run, new_folder
from ppoc.cli.options import Debug, Overrides, Seed, Trust
from ppoc.cli.training import experiment, supervisor

if TYPE_CHECKING:
    from ppoc.runtime.run.progress import Mode


def run(
    target: Annotated[
        Path,
        typer.Argument(
            help="A spec file, one of the zoo by its name, or a compiled folder; with --resume or "
            "--again the folder of a run, with --resume that of an experiment."
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
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|S1,S2", help="Run it with N seeds, or these: an experiment."),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY.PATH=V1,V2",
            help="Run it with each of these values: an experiment; repeatable.",
            show_default=False,
        ),
    ] = None,
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
        str | None,
        typer.Option(metavar="STAGE", help="Stage to stop after; --resume goes on."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Runs of an experiment side by side.",
            show_default="as the spec says",
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Where an experiment runs.", show_default="as the spec says")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try an experiment's failed runs again.")
    ] = False,
    trust: Trust = False,
    modified: Modified = False,
    debug: Debug = False,
) -> None:
    """Train an agent or a language model and evaluate it, or run an experiment of many.

    All lands in one folder.
    """
    changes = [*(overrides or []), *([f"training.seed={seed}"] if seed is not None else [])]
    if json:
        terminal.only_results()
    mode: Mode = "json" if json else "quiet" if quiet else "auto"
    # Threads of torch that wait for each other should sleep: beside other work, those that spin
    # take many times as long. It is read once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if resume and again:
        terminal.fail(terminal.MISUSE, "either --resume or --again")
    if not resume and not again and holds_run(target):
        goes_on = "takes it as it is, without changes" if changes else "goes on with it"
        anew = "--again trains its spec anew, in a new folder"
        terminal.fail(terminal.MISUSE, f"{target} holds a run: --resume {goes_on}, {anew}")
    given = experiment.Given(target, changes, seeds, vary or [], out, resume)
    spec = experiment.meant(given)
    if (many := experiment.of_many_runs(spec)) is not None:
        from ppoc.experiments.run_experiment import Wishes

        wishes = Wishes(jobs, engine, device, retry_failed, trust, debug)
        experiment.run(many, given, wishes, mode)
        return
    if resume:
        folder = _to_resume(target, changes, out, trust, modified)
    else:
        folder = compiled_into(
            lambda name: new_folder(out, name),
            target,
            changes,
            spec,
            trust=trust,
            modified=modified,
        )
    _ = folder.text  # verified before anything is written there, and before torch is loaded
    supervisor.fork(folder.path)
    _execute(folder, device, resume, mode, until, debug)


def _to_resume(
    target: Path, changes: list[str], out: Path | None, trust: bool, modified: bool
) -> RunFolder:
    if changes or out:
        terminal.fail(terminal.MISUSE, "--resume takes a run as it is: no -s, --seed or --out")
    if not (target / "module.py").is_file():
        terminal.fail(terminal.MISUSE, f"--resume takes a run folder, which {target} is not")
    return RunFolder.open(target, trust=trust, modified=modified)


def _execute(
    folder: RunFolder,
    device: str | None,
    resume: bool,
    mode: "Mode",
    until: str | None,
    debug: bool,
) -> None:
    if mode != "quiet":
        terminal.say(f"run folder: {folder.path}")
    module = folder.module
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.run.launch import execute
    from ppoc.runtime.run.report import report, stopped_at
    from ppoc.runtime.run.results import result_document

    try:
        result = execute(module, folder.path, device=device, resume=resume, mode=mode, until=until)
    except RunError as error:
        terminal.fail_by(error, debug=debug)
    except KeyboardInterrupt:  # before training began, between stages, or after it ended
        terminal.fail(terminal.RUN_FAILED, "stopped")
    if mode == "json":
        document = {"event": "result", "folder": str(folder.path), **result_document(result)}
        terminal.tell(terminal.as_json(document, indent=None))
    if result.stopped:
        where = stopped_at(result)
        terminal.say(f"stopped {where}; `ppoc run {folder.path} --resume` goes on")
        raise typer.Exit(terminal.RUN_FAILED)
    if mode != "json":
        for line in (*report(result), f"run folder: {folder.path}"):
            terminal.tell(line)
