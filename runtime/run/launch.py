"""Run a generated module from start to result: `ppoc run` and `python module.py` both end here."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ppoc.formats import streams
from ppoc.formats.documents import NewerError
from ppoc.formats.reading import FormatError, read_regular
from ppoc.formats.text import lines
from ppoc.runtime.ending import EXIT_CODE
from ppoc.runtime.envs.spaces import in_any_backend
from ppoc.runtime.errors import RunError
from ppoc.runtime.evaluation.evaluate import Terms, describe, evaluate_policy
from ppoc.runtime.evaluation.statistics import Summary
from ppoc.runtime.evaluation.video import FILM_STEPS, record
from ppoc.runtime.health.divergence import DivergenceError
from ppoc.runtime.interface import agent_of
from ppoc.runtime.records import evaluations
from ppoc.runtime.run.belongings import make_folder
from ppoc.runtime.run.failures import fail, in_one_message
from ppoc.runtime.run.layout import check_policy
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.results import Result, read_result, write_result
from ppoc.runtime.run.run import Run, load_newest

MAX_MODULE = 4_000_000  # bytes

__all__ = ["Result", "evaluate_run", "execute", "load_module", "load_run_policy", "main"]


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
) -> Result:
    """Train in `folder`, which must exist, then evaluate the last checkpoint as it lies on disk.

    A finished run, resumed, stays as it is; its result is read.

    Raises:
        RunError: the run cannot start or go on. What was saved before is still there.
    """
    if resume and (earlier := finished_result(module, folder)):
        return earlier
    start = time.perf_counter()
    with in_one_message(folder):
        steps, finished = _train(module, folder, device or module.DEVICE, resume, mode)
        evaluation = _last_evaluation(module, folder, steps) if finished else None
        result = Result(folder, finished, steps, time.perf_counter() - start, evaluation)
        write_result(result)
    return result


def _last_evaluation(module: ModuleType, folder: Path, steps: int) -> Summary | None:
    """Evaluate the last checkpoint and note it in evaluations.jsonl; None if not wanted."""
    if not module.EVALUATION_EPISODES:
        return None
    summary = evaluate_run(module, folder)
    evaluations.drop_after(folder, steps - 1)  # a run that died before its result has it already
    evaluations.append(folder, {"steps": steps, **summary._asdict()})
    return summary


def _train(
    module: ModuleType, folder: Path, device: str, resume: bool, mode: Mode
) -> tuple[int, bool]:
    """Train to the end, back at the last checkpoint where the spec wants that: steps, finished."""
    rollbacks: int | None = None
    while True:
        run = Run(
            folder, device=device, resume=resume, mode=mode, module=module, rollbacks=rollbacks
        )
        try:
            with run:
                module.train(run)
                return run.steps, not run.stopped
        except DivergenceError as error:
            if not error.rolls_back:
                raise
            resume, rollbacks = True, error.rollbacks + 1
            if mode != "quiet":
                said = lines(f"{error}\ngoing back to it, with other noise")
                print(said, file=sys.stderr)


def evaluate_run(
    module: ModuleType,
    folder: Path,
    *,
    episodes: int | None = None,
    deterministic: bool | None = None,
    seed: int | None = None,
    max_steps: int | None = None,
    num_envs: int | None = None,
) -> Summary:
    """Evaluate the newest checkpoint of a run folder; what is not given is as the module has it.

    A module that makes no evaluations is evaluated over ten episodes.

    Raises:
        RunError: the folder has no checkpoint.
        CheckpointError: no checkpoint of it can be read, or it is not of this module.
    """
    own = agent_of(module)
    policy = load_run_policy(module, folder, deterministic=deterministic, seed=seed)
    seed = own.seed + 1_000_003 if seed is None else seed  # episodes not seen in training
    terms = Terms.of(own, episodes=episodes, max_steps=max_steps, num_envs=num_envs)
    return evaluate_policy(own.environment.make, policy, terms, seed)


def load_run_policy(
    module: ModuleType,
    folder: Path,
    *,
    deterministic: bool | None = None,
    seed: int | None = None,
) -> Any:
    """The policy of the newest checkpoint of a run folder; raises as `evaluate_run` does."""
    own = agent_of(module)
    checkpoint, _ = load_newest(folder)
    check_policy(module, checkpoint)
    if deterministic is None:
        deterministic = own.evaluation.deterministic
    rng = None if deterministic else np.random.default_rng(own.seed if seed is None else seed)
    return own.policy.load(checkpoint, rng)


def film_run(
    module: ModuleType,
    folder: Path,
    path: Path,
    *,
    deterministic: bool | None = None,
    seed: int | None = None,
    max_steps: int | None = None,
    message: Callable[[str], None] | None = None,
) -> Path:
    """Film an episode of the newest checkpoint's policy, in the environment it is evaluated in.

    Args:
        max_steps: after which it is cut; None: as in evaluations, but no later than `FILM_STEPS`.
        message: told how far it is.

    Raises:
        RunError, CheckpointError: as `evaluate_run`.
        VideoError: the environment cannot be rendered here, or the video cannot be written.
    """
    own = agent_of(module)
    env = own.environment
    return record(
        env.id,
        load_run_policy(module, folder, deterministic=deterministic, seed=seed),
        path,
        seed=own.seed if seed is None else seed,
        max_episode_steps=env.max_episode_steps,
        options=env.options,
        # Evaluations do not take the loss of a life for the end of an episode.
        wrappers=[layer for layer in env.wrappers if layer[0] != "EpisodicLife"],
        package=env.package,
        message=message,
        max_steps=max_steps or min(own.evaluation.max_steps, FILM_STEPS),
        # It is rendered by gymnasium, whatever steps the environments of evaluations.
        spaces=(in_any_backend(env.observations), in_any_backend(env.actions)),
    )


def finished_result(module: ModuleType, folder: Path) -> Result | None:
    """The result of a run that got to its end; None where it did not, or where none can be read.

    Raises:
        RunError: a newer version wrote it.
    """
    try:
        result = read_result(folder)
    except NewerError as error:
        raise RunError(f"{folder}: {error}") from error
    except (OSError, FormatError):
        return None
    own = agent_of(module)
    whole = result.finished and result.steps >= own.total_steps["train"]
    evaluated = result.evaluation is not None or not own.evaluation.episodes
    return result if whole and evaluated else None


def main(module: ModuleType) -> None:
    """The command line of a generated module run as a script."""
    streams.open_streams()
    parser = argparse.ArgumentParser(description=(module.__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs") / module.NAME)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--debug", action="store_true", help="print the traceback of what fails")
    arguments = parser.parse_args()
    try:
        if not arguments.resume and (arguments.out / "metrics.csv").exists():
            raise RunError(
                f"{arguments.out} holds a run already: --resume it, or give another --out"
            )
        make_folder(module, arguments.out, resume=arguments.resume)
        result = execute(module, arguments.out, device=arguments.device, resume=arguments.resume)
    except RunError as error:
        fail(error, debug=arguments.debug)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(EXIT_CODE)
    if result.earlier:
        print(f"the run is finished, at {result.steps:,} steps")
    if result.evaluation is not None:
        print(describe(result.evaluation))
    elif result.finished:
        print("no evaluation, as evaluation.episodes is 0")
    print(f"run folder: {result.folder}")
