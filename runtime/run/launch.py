"""Run a generated module from start to result: `ppoc run` and `python module.py` both end here."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ppoc.formats import streams
from ppoc.formats.documents import NewerError
from ppoc.formats.files import read_lines
from ppoc.formats.reading import FormatError, read_regular
from ppoc.formats.text import lines
from ppoc.runtime.declared import interface_of
from ppoc.runtime.ending import EXIT_CODE
from ppoc.runtime.errors import RunError
from ppoc.runtime.health.divergence import DivergenceError
from ppoc.runtime.kinds import kind_of
from ppoc.runtime.run.belongings import make_folder
from ppoc.runtime.run.failures import fail, in_one_message
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.report import report
from ppoc.runtime.run.results import Result, read_result, write_result
from ppoc.runtime.run.run import Run

MAX_MODULE = 4_000_000  # bytes

__all__ = ["Result", "execute", "load_module", "main"]


def load_module(path: Path, source: bytes | None = None) -> ModuleType:
    """Import a generated module under a name of its own, from its source and no bytecode beside it.

    Args:
        source: what the file holds, where it was read before.

    Raises:
        RunError: there is no such file, or it does not import.
    """
    name = f"ppoc_module_{abs(hash(path.resolve())):x}"
    try:
        text = read_regular(path, MAX_MODULE) if source is None else source
    except FileNotFoundError as error:
        raise RunError(f"there is no module at {path}") from error
    except (OSError, FormatError) as error:
        raise RunError(f"cannot read {path}: {error}") from error
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise RunError(f"{path} does not import: {error}") from error
    return module


def execute(
    module: ModuleType,
    folder: Path,
    *,
    device: str | None = None,
    resume: bool = False,
    mode: Mode = "auto",
    until: str | None = None,
) -> Result:
    """Train the stages of a module in `folder`, which must exist, and evaluate what they leave.

    A finished run, resumed, stays as it is; its result is read. So does a finished stage.

    Args:
        until: the stage to stop after; None for the last.

    Raises:
        RunError: the run cannot start or go on. What was saved before is still there.
    """
    kind, interface = kind_of(module), interface_of(module)
    stages = _stages(list(interface.stages), until)
    kind.prepare(module)
    if resume and (earlier := finished_result(module, folder)):
        return earlier
    start = time.perf_counter()
    device = device or interface.device
    with in_one_message(folder, less_memory=kind.less_memory):
        kind.inherit(module, folder)
    stage, steps, stopped = stages[0], 0, False
    for stage in stages:
        done = _stage_result(module, folder, stage) if resume else None
        if done is None:
            done = _train(module, folder, stage, device, resume, mode)
        steps, stopped = done.steps, done.stopped
        if stopped:
            break
    place = kind.place(folder, stage)
    finished = not stopped and stage == list(interface.stages)[-1]
    with in_one_message(place, root=folder, less_memory=kind.less_memory):
        result = Result(
            folder,
            kind.name,
            finished,
            stage,
            steps,
            time.perf_counter() - start,
            kind.last_evaluation(module, folder, device, steps) if finished else None,
            {name: _measures(kind.place(folder, name), folder) for name in stages},
            stopped,
        )
        result = result._replace(seconds=time.perf_counter() - start)
        write_result(result)
    return result


def _stages(known: list[str], until: str | None) -> list[str]:
    """The stages up to one."""
    if until is None:
        return known
    if until not in known:
        raise RunError(f"this run has no stage {until}; it has {', '.join(known)}")
    return known[: known.index(until) + 1]


def _train(
    module: ModuleType, folder: Path, stage: str, device: str, resume: bool, mode: Mode
) -> Result:
    """Train a stage to its end, and leave its result."""
    kind = kind_of(module)
    place, start = kind.place(folder, stage), time.perf_counter()
    with in_one_message(place, root=folder, less_memory=kind.less_memory):
        run = _trained(module, folder, stage, device, resume, mode)
        seconds = time.perf_counter() - start
        finished = not run.stopped
        result = Result(place, kind.name, finished, stage, run.steps, seconds, stopped=run.stopped)
        if place != folder:  # that of the run says it otherwise
            write_result(result)
    return result


def _trained(
    module: ModuleType, folder: Path, stage: str, device: str, resume: bool, mode: Mode
) -> Run:
    """The run of a stage, trained, back at its last checkpoint where the spec wants that."""
    kind, train = kind_of(module), interface_of(module).stages[stage]
    rollbacks: int | None = None
    while True:
        run = kind.open(
            module, folder, stage, device=device, resume=resume, mode=mode, rollbacks=rollbacks
        )
        try:
            with run:
                train(run)
                return run
        except DivergenceError as error:
            if not error.rolls_back:
                raise
            resume, rollbacks = True, error.rollbacks + 1
            if mode != "quiet":
                said = lines(f"{error}\ngoing back to it, with other noise")
                print(said, file=sys.stderr)


def finished_result(module: ModuleType, folder: Path) -> Result | None:
    """The result of a run that got to its end; None where it did not, or where none can be read.

    Raises:
        RunError: a newer version wrote it.
    """
    kind, stages = kind_of(module), list(interface_of(module).stages)
    result = _result(folder)
    if result is None or not result.finished or result.kind != kind.name:
        return None
    if any(_stage_result(module, folder, stage) is None for stage in stages):
        return None
    return result if result.evaluation is not None or not kind.evaluates(module) else None


def _stage_result(module: ModuleType, folder: Path, stage: str) -> Result | None:
    """The result of a stage that got to its end; None where it did not."""
    kind = kind_of(module)
    result = _result(kind.place(folder, stage))
    if result is None or not result.finished:
        return None
    return result if result.steps >= kind.steps_of(module, stage) else None


def _result(place: Path) -> Result | None:
    try:
        return read_result(place)
    except NewerError as error:
        raise RunError(f"{place}: {error}") from error
    except (OSError, FormatError):
        return None


def _measures(place: Path, folder: Path) -> Mapping[str, float]:
    """Measures of a stage's last evaluation on held-out data; nothing where it has none."""
    if place == folder:  # whose evaluation is the run's
        return {}
    try:
        row = json.loads(read_lines(place / "evaluations.jsonl")[-1])
        return {key: float(row[key]) for key in row if key not in ("format", "steps")}
    except (OSError, IndexError, ValueError, TypeError, RecursionError, OverflowError):
        return {}


def main(module: ModuleType) -> None:
    """The command line of a generated module run as a script."""
    streams.open_streams()
    kind, interface = kind_of(module), interface_of(module)
    parser = argparse.ArgumentParser(description=(module.__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs") / interface.name)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--until", choices=list(interface.stages), help="the stage to stop after")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--debug", action="store_true", help="print the traceback of what fails")
    given = parser.parse_args()
    places = {kind.place(given.out, stage) for stage in interface.stages}
    try:
        if not given.resume and any((place / "metrics.csv").exists() for place in places):
            raise RunError(f"{given.out} holds a run already: --resume it, or give another --out")
        make_folder(module, given.out, resume=given.resume, data=kind.data)
        result = execute(
            module, given.out, device=given.device, resume=given.resume, until=given.until
        )
    except RunError as error:
        fail(error, debug=given.debug)
    except KeyboardInterrupt:  # between stages
        print("stopped", file=sys.stderr)
        sys.exit(EXIT_CODE)
    for line in report(result):
        print(lines(line))
    print(f"run folder: {result.folder}")
