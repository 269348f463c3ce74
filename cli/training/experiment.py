"""`ppoc run` of an experiment: many runs, made side by side in a folder of theirs."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import RunFolder, new_folder, resolved
from ppoc.compiler import zoo
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.compiler.experiment.resolved import ExperimentResolved
    from ppoc.compiler.front.spec import ResolvedSpec
    from ppoc.experiments.display.display import Mode
    from ppoc.experiments.run_experiment import Wishes
    from ppoc.formats.experiment import ExperimentRecord


@dataclass(frozen=True)
class Given:
    """The arguments of `ppoc run`, as far as it says what is to be run.

    Attributes:
        changes: values of `-s`, and of flags that are short for them.
        out: the folder of `--out`.
    """

    target: Path
    changes: Sequence[str]
    seeds: str | None
    vary: Sequence[str]
    out: Path | None
    resume: bool

    @property
    def folder(self) -> Path | None:
        """The folder of an experiment that is to go on."""
        from ppoc.experiments.experiment_folder import is_experiment

        if not self.resume:
            return None
        return self.target if is_experiment(self.target) else self.out


def meant(given: Given) -> "ResolvedSpec | None":
    """The spec to be run, of whatever kind; None where a run's folder is taken as it is."""
    is_run = os.path.lexists(given.target / "module.py")
    if is_run and not given.seeds and not given.vary:
        return None
    if given.resume and given.folder is None:
        return None
    from ppoc.experiments.experiment_folder import as_experiment
    from ppoc.experiments.shorthand import seeds_value

    if as_experiment(found := resolved(given.target, given.changes)) is None:
        return _of_flags(found, given) if given.seeds or given.vary else found
    if given.vary:
        terminal.fail(
            terminal.MISUSE, "--vary is for a spec of one run: write `vary` into this one"
        )
    if given.seeds:
        found = resolved(given.target, [*given.changes, f"seeds={seeds_value(given.seeds)}"])
    return found


def of_many_runs(spec: "ResolvedSpec | None") -> "ExperimentResolved | None":
    """A spec of an experiment; None of one run, whose folder needs nothing of experiments."""
    if spec is None:
        return None
    from ppoc.experiments.experiment_folder import as_experiment

    return as_experiment(spec)


def _of_flags(base: "ResolvedSpec", given: Given) -> "ResolvedSpec":
    """The experiment over a spec of one run that --seeds and --vary stand for."""
    from ppoc.compiler.resolve import resolve_text
    from ppoc.experiments.experiment_folder import SPEC
    from ppoc.experiments.shorthand import document, spec_text

    whole: str | Mapping[str, object] = zoo.key_of(str(given.target))
    if given.target.exists() or whole not in zoo.paths():
        is_folder = given.target.is_dir()
        whole = document(RunFolder.open(given.target).lock if is_folder else given.target)
    name = base.spec.model_dump(include={"name"})["name"]
    return resolve_text(spec_text(name, whole, given.changes, given.seeds, given.vary), SPEC)


def run(spec: "ExperimentResolved", given: Given, wishes: "Wishes", mode: "Mode") -> None:
    """Run an experiment, in a new folder or in the one that it is to go on in."""
    from ppoc.experiments.display.display import display
    from ppoc.experiments.engines.engine import EngineError
    from ppoc.experiments.engines.named import asked
    from ppoc.experiments.experiment_folder import ExperimentError, UnfinishedError, alone

    def say(text: str) -> None:
        if mode not in ("quiet", "json"):
            terminal.say(text)

    try:
        asked(spec.spec.engine, wishes.engine)  # before anything is written
        run_in = _runner(spec)
        folder = _prepared(spec, given, trust=wishes.trust)
        say(f"experiment folder: {folder}")
        with alone(folder):
            record = run_in(folder, spec, display(mode), wishes, say)
    except UnfinishedError as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
    except (ExperimentError, EngineError) as error:
        terminal.fail(terminal.MISUSE, str(error))
    _tell(folder, record, mode)


def _runner(spec: "ExperimentResolved") -> "Callable[..., ExperimentRecord]":
    """The function that runs an experiment, or a search."""
    if spec.spec.search is None:
        from ppoc.experiments.run_experiment import run_experiment

        return run_experiment
    try:
        from ppoc.experiments.search.run_search import run_search
    except ImportError as error:
        message = f"a search needs {error.name}: pip install 'ppoc[search]'"
        terminal.fail(terminal.MISUSE, message)
    return run_search


def _prepared(spec: "ExperimentResolved", given: Given, *, trust: bool) -> Path:
    """The folder to run in, with the compiled files of all runs."""
    from ppoc.compiler.output.build import compile_spec
    from ppoc.experiments.experiment_folder import SPEC, add_missing, extend, is_experiment
    from ppoc.formats.files import write_whole

    folder = given.folder
    if folder is not None:
        RunFolder.open(folder)
        if not is_experiment(folder):
            terminal.fail(terminal.MISUSE, f"{folder} is no folder of an experiment")
        if folder == given.target and not given.changes and not given.seeds:
            add_missing(folder, spec.members, trust=trust)
            return folder
    compiled = compile_spec(spec, trust=trust)
    terminal.report(compiled.warnings)
    if folder is not None:
        extend(folder, compiled)
        return folder
    folder = new_folder(given.out, compiled.name)
    if given.seeds or given.vary:
        write_whole(folder / SPEC, spec.source_text)
    compiled.write(folder)
    return folder


def _tell(folder: Path, record: "ExperimentRecord", mode: "Mode") -> None:
    """Say how an experiment has ended; ends the command where something of it is left."""
    if mode == "json":
        row = {"event": "result", "folder": str(folder), **record.model_dump(mode="json")}
        terminal.tell(terminal.as_json(row, indent=None))
    runs = record.runs
    failed = [run for run in runs if run.state == "failed"]
    left = [run for run in runs if run.state in ("waiting", "running", "stopped")]
    for run in failed:
        terminal.say(f"failed: {run.run}: {run.reason or 'no reason is known'}")
    if failed:
        again = f"`ppoc run {folder} --resume --retry-failed` tries again"
        terminal.say(f"{len(failed)} of {terminal.count(len(runs), 'run')} failed; {again}")
    if left:
        again = f"`ppoc run {folder} --resume` goes on"
        terminal.say(f"{len(left)} of {terminal.count(len(runs), 'run')} are left; {again}")
    if mode != "json" and not left:
        _answer(folder)
    if failed or left:
        raise typer.Exit(terminal.RUN_FAILED)


def _answer(folder: Path) -> None:
    """Say what was found, and where it lies."""
    from ppoc.formats.reading import FormatError
    from ppoc.reporting.comparison import answer

    try:
        for line in answer(folder):
            terminal.tell(line)
    except (OSError, FormatError) as error:  # such as that no run has a score
        for text in str(error).split("\n"):
            terminal.say(printable(text))
    terminal.tell(f"results: {folder / 'results.json'}")
