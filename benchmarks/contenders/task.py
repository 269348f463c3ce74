"""The input and output of every contender.

A contender is a script of this folder, run by an interpreter that has its library:

    python benchmarks/contenders/run_sb3.py '<a Task as JSON>' [one-thread]

It trains once and prints one JSON line, the last of its stdout. It exits with code 3, the last line
of stderr saying why, where its library is not installed or cannot run the task. `one-thread` keeps
torch and NumPy to one thread, which often suits networks this small; OMP_NUM_THREADS sets any
number. The threads of environments are left to the library.
"""

import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NoReturn, Self

Schedule = Literal["constant", "linear"]

UNABLE = 3


class CannotRun(Exception):  # noqa: N818
    """The contender cannot run this task; the message is one line that says why."""


@dataclass(frozen=True)
class Task:
    """One training run: the environment, PPO's hyper-parameters, and how long."""

    env_id: str
    num_envs: int
    rollout_steps: int  # of all environments together
    epochs: int
    minibatch_size: int
    gamma: float
    lam: float
    lr: float
    lr_schedule: Schedule
    clip_range: float
    clip_schedule: Schedule
    value_clip: float | None
    value_coefficient: float  # of mean((V - R)^2), with no hidden half
    entropy_beta: float
    max_grad_norm: float
    adam_epsilon: float
    normalize_observations: bool
    normalize_rewards: bool
    layers: tuple[int, ...]
    activation: str
    total_steps: int
    seed: int
    atari: bool = False  # the usual preprocessing, four frames, Nature's network shared by both

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        if extra := values.keys() - {field.name for field in fields(cls)}:
            raise TypeError(f"unknown fields: {sorted(extra)}")
        return cls(**{**values, "layers": tuple(values["layers"])})

    @property
    def iterations(self) -> int:
        """Rollouts until total_steps are reached."""
        return math.ceil(self.total_steps / self.rollout_steps)

    @property
    def gradient_steps(self) -> int:
        return self.iterations * self.epochs * (self.rollout_steps // self.minibatch_size)


def rates(steps: int, start: float, first: float, end: float, task: Task) -> tuple[float, float]:
    """Steady and whole rate, from the times of the start, the first iteration's end and the end."""
    later = steps - task.rollout_steps
    return (later / (end - first) if later > 0 else math.nan), steps / (end - start)


def mean_return(returns: Sequence[float]) -> float:
    """The mean of the last hundred episodes; NaN where none ended."""
    last = list(returns)[-100:]
    return sum(last) / len(last) if last else math.nan


def report(steps: int, steady: float, whole: float, episode_return: float, **more: float) -> None:
    """Print the result, with the peak of resident memory of this process or of its children."""
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    row = {
        "steps": steps,
        "steady": steady,
        "whole": whole,
        "return": episode_return,
        "memory_mib": peak / 1024,
        **more,
    }
    print(json.dumps(row), flush=True)


def check(expected: int, actual: int, what: str = "gradient steps") -> None:
    """Check that a hyper-parameter arrived."""
    if actual != expected:
        raise RuntimeError(f"{actual} {what}, not {expected}")


def adam_steps(optimizer: Any) -> int:
    """How often an optimizer of torch.optim was stepped, from Adam's own count."""
    return max(int(state["step"]) for state in optimizer.state.values())


def unable(reason: str) -> NoReturn:
    print(" ".join(reason.split()), file=sys.stderr, flush=True)
    raise SystemExit(UNABLE)


def contend(measure: Callable[[Task], None], *, takes_images: bool = False) -> None:
    """Run a contender on the task of the command line."""
    if "one-thread" in sys.argv[2:]:  # read by torch and NumPy when they are imported
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
    task = Task.from_json(sys.argv[1])
    if task.atari and not takes_images:
        unable("cannot run: the script of this benchmark has no images")
    os.chdir(tempfile.mkdtemp())  # some libraries leave files where they run
    try:
        measure(task)
    except ImportError as error:
        unable(f"not installed: {error}")
    except CannotRun as error:
        unable(f"cannot run: {error}")


def now() -> float:
    return time.perf_counter()
