"""Run the stages of a generated module, one after another, in one run folder."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from ppoc.formats import streams
from ppoc.formats.documents import read_document
from ppoc.formats.files import read_lines, write_whole
from ppoc.formats.reading import FormatError
from ppoc.formats.text import lines
from ppoc.runtime.ending import EXIT_CODE
from ppoc.runtime.errors import RunError
from ppoc.runtime.interface import language_model_of
from ppoc.runtime.records import evaluations
from ppoc.runtime.rlhf.comparison import Comparison, compare, table
from ppoc.runtime.rlhf.stage import Stage
from ppoc.runtime.rlhf.start import inherit
from ppoc.runtime.run.belongings import make_folder
from ppoc.runtime.run.failures import fail, in_one_message
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.run import choose_device

RESULT = "result.json"
COMPARISON = "comparison.json"
DATA = tuple(f"data/{role}.jsonl" for role in ("demonstrations", "preferences", "prompts"))
LESS_MEMORY = (
    "a smaller batch_size of sft and reward, a smaller ppo.minibatch_size or ppo.rollout_size, "
    "shorter texts and model.lora need less"
)


class Result(NamedTuple):
    """How a run ended."""

    folder: Path
    finished: bool  # False: a signal stopped it, or it was to stop after an earlier stage
    stopped: bool  # by a signal
    stage: str  # the last it came to
    steps: int  # of that stage
    seconds: float
    evaluations: dict[str, dict[str, float]]  # of stages, on what was held out
    comparison: Comparison | None  # where PPO is done


def require(module: ModuleType) -> None:
    """See that the packages are there which a module needs, and keep them quiet.

    Raises:
        RunError: one is not there.
    """
    wanted = [
        "transformers",
        "tokenizers",
        *(["peft"] if language_model_of(module).model.add_lora else []),
    ]
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        raise RunError(f"{', '.join(missing)} is not installed: pip install 'ppoc[rlhf]'")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def execute(
    module: ModuleType,
    folder: Path,
    *,
    device: str | None = None,
    mode: Mode = "auto",
    until: str | None = None,
) -> Result:
    """Train the stages that `folder` does not have yet, each from its last checkpoint on.

    Args:
        until: the stage to stop after; None for the last.

    Raises:
        RunError: the run cannot start or go on. What was saved before is still there.
    """
    start = time.perf_counter()
    require(module)
    stages = list(module.STAGES)
    if until is not None:
        if until not in stages:
            raise RunError(f"this run has no stage {until}; it has {', '.join(stages)}")
        stages = stages[: stages.index(until) + 1]
    name, steps, stopped = stages[-1], 0, False
    with in_one_message(folder, less_memory=LESS_MEMORY):
        inherit(module, folder)
    for name in stages:
        if finished(folder, name):
            steps = _steps_of(folder / name)
            continue
        run = _train(module, folder, name, device or module.DEVICE, mode)
        steps, stopped = run.steps, run.stopped
        if stopped:
            break
    done = all(finished(folder, stage) for stage in module.STAGES)
    comparison = None
    if done and "ppo" in stages:
        with in_one_message(folder / "ppo", root=folder, less_memory=LESS_MEMORY):
            comparison = compare(module, folder, device=device)
            _record_last(module, folder / "ppo", comparison)
        write_json(folder / COMPARISON, comparison.document())
    measured = {stage: last_evaluation(folder / stage) for stage in stages}
    seconds = time.perf_counter() - start
    result = Result(folder, done, stopped, name, steps, seconds, measured, comparison)
    write_json(folder / RESULT, result_document(result))
    return result


def _record_last(module: ModuleType, ppo: Path, comparison: Comparison) -> None:
    """Let the evaluations of PPO end with the comparison, where the spec asks for any."""
    wanted = language_model_of(module).evaluation
    if wanted and wanted.every and (steps := _steps_of(ppo)):
        evaluations.drop_after(ppo, steps - 1)
        evaluations.append(ppo, {"steps": steps, "score": comparison.after.score})


def _train(module: ModuleType, folder: Path, name: str, device: str, mode: Mode) -> Stage:
    begun = time.perf_counter()
    with (
        in_one_message(folder / name, root=folder, less_memory=LESS_MEMORY),
        _precision(module, device),
        Stage(folder, name, device=device, mode=mode, module=module) as run,
    ):
        language_model_of(module).stages[name](run)
        if not run.stopped:
            seconds = round(time.perf_counter() - begun, 3)
            row = {"finished": True, "steps": run.steps, "seconds": seconds}
            write_json(folder / name / RESULT, row)
    return run


@contextlib.contextmanager
def _precision(module: ModuleType, device: str) -> Iterator[None]:
    """Matrix products in the type that the module says; weights are learnt in float32."""
    if language_model_of(module).model.dtype == "float32":
        yield
        return
    # Without its cache: a cast weight that is kept would be older than the weight after a step.
    with torch.autocast(choose_device(device).type, torch.bfloat16, cache_enabled=False):
        yield


def finished(folder: Path, stage: str) -> bool:
    """Whether a run folder has all of a stage."""
    return (folder / stage / RESULT).is_file()


def _steps_of(stage: Path) -> int:
    """Steps that a stage which is done took; 0 where its result does not say."""
    with contextlib.suppress(OSError, FormatError):
        steps = read_document(stage / RESULT).get("steps")
        return steps if type(steps) is int else 0
    return 0


def last_evaluation(stage: Path) -> dict[str, float]:
    """The measures in the last row of a stage's evaluations.jsonl; none where it has none."""
    try:
        row = json.loads(read_lines(stage / "evaluations.jsonl")[-1])
        return {key: float(row[key]) for key in row if key not in ("format", "steps")}
    except (OSError, IndexError, ValueError, TypeError, RecursionError, OverflowError):
        return {}


def write_json(path: Path, row: dict[str, Any]) -> None:
    """Write a file that is there whole or not at all."""
    write_whole(path, json.dumps(row, indent=2, ensure_ascii=False) + "\n")


def result_document(result: Result) -> dict[str, Any]:
    """How a run ended, for programs and for result.json."""
    comparison = result.comparison
    return {
        "kind": "rlhf",
        "finished": result.finished,
        "stage": result.stage,
        "steps": result.steps,
        "seconds": round(result.seconds, 3),
        "evaluations": result.evaluations,
        "comparison": comparison.document() if comparison else None,
    }


def report(result: Result) -> str:
    """The result of a run, in words."""
    said = []
    for stage, row in result.evaluations.items():
        values = [f"{key} {value:.4g}" for key, value in row.items()]
        if values:
            said.append(f"{stage}, held out: {', '.join(values)}")
    if result.comparison is not None:
        said += ["", table(result.comparison), ""]
    return "\n".join(said)


def main(module: ModuleType) -> None:
    """The command line of a generated module run as a script."""
    streams.open_streams()
    parser = argparse.ArgumentParser(description=(module.__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs") / module.NAME)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--until", choices=module.STAGES, help="the stage to stop after")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--debug", action="store_true", help="print the traceback of what fails")
    arguments = parser.parse_args()
    out = arguments.out
    try:
        if not arguments.resume and any((out / name).exists() for name in module.STAGES):
            raise RunError(f"{out} holds a run already: --resume it, or give another --out")
        make_folder(module, out, resume=arguments.resume, data=DATA)
        result = execute(module, out, device=arguments.device, until=arguments.until)
    except RunError as error:
        fail(error, debug=arguments.debug)
    except KeyboardInterrupt:  # between stages
        print("stopped", file=sys.stderr)
        sys.exit(EXIT_CODE)
    print(lines(report(result)))
    print(f"run folder: {result.folder}")
