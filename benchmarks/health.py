"""Cost of watching a run's health, beside the iteration that it is part of.

    python benchmarks/health.py
    python benchmarks/health.py runs/tiny-rlhf-1

The first writes benchmarks/results/health.md; the second prints the same of the stages of a
language model that has been trained. Times are of the CPU, in one thread: medians.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.health.divergence import UpdateLog, offence
from ppoc.runtime.health.monitor import Watch, agent_monitor
from ppoc.runtime.health.settings import facts_of, read_facts
from ppoc.runtime.records.metrics import read_metrics
from ppoc.runtime.rlhf.signs import LIMITS
from ppoc.runtime.rlhf.stage import STAGES
from ppoc.runtime.rlhf.symptoms import monitor
from ppoc.runtime.run import run as runs
from ppoc.runtime.run.launch import load_module

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "health.md"
STEPS, PAIRS = 7_680, 9
SPECS = {
    "ppo/cartpole": ("training.compile=never",),
    "ppo/cartpole, compiled": ("training.compile=always",),
}


def main() -> None:
    """Measure, and write the tables."""
    torch.set_num_threads(1)
    parts, whole = [], []
    for name, overrides in SPECS.items():
        module = _module(name.partition(",")[0], overrides)
        folder = Path(tempfile.mkdtemp())
        iteration = _train(module, folder)
        parts.append(_parts(name, module, folder, iteration))
        whole.append(_whole(name, module))
    lines = [
        "# What watching a run costs",
        "",
        "`python benchmarks/health.py`: CPU time of one thread, medians.",
        "",
        "By its parts, each timed alone on the metrics of a run, against that run's iterations: "
        "`watch` is what remembering the calls of its updates takes, `check` the symptoms looked "
        "for in its metrics, `finite` a look at all parameters after it, `reward` the largest "
        "reward, which is measured for them.",
        "",
        "| spec | iteration, ms | watch, µs | check, µs | finite, µs | reward, µs | together |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *parts,
        "",
        f"As a whole, {PAIRS} pairs of runs of {STEPS:,} steps, one of each with `Run.watch` and "
        "`Watch.check` doing nothing, in turn; the difference is the median of the pairs', and "
        "between which two of them half of the pairs are.",
        "",
        "| spec | watched, s | not watched, s | difference | half of the pairs |",
        "| --- | --- | --- | --- | --- |",
        *whole,
    ]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _stages(folder: Path) -> None:
    """Print what the stages of a run cost to watch, of the time that they took."""
    print("| stage | update or iteration, ms | check, µs | together |\n| --- | --- | --- | --- |")
    facts = read_facts(folder, [])
    for stage in filter(Path.is_dir, (folder / name for name in STAGES)):
        rows = list(read_metrics(stage / "metrics.csv", []))
        unit = "answers" if stage.name == "ppo" else "updates"
        each = facts.settings["ppo.rollout_size"] if stage.name == "ppo" else 1
        whole = statistics.median(each / row[f"{unit}_per_second"] for _, row in rows)

        def look() -> None:
            watching = monitor(stage.name, facts)  # noqa: B023
            for step, row in rows:  # noqa: B023
                watching.check(step, row)
                offence(row, LIMITS[stage.name])  # noqa: B023

        check = _each(look, repeats=1) / len(rows)
        share = check / whole
        print(f"| {stage.name} | {whole * 1e3:.1f} | {check * 1e6:.1f} | {share:.3%} |")


def _module(name: str, overrides: tuple[str, ...]) -> ModuleType:
    folder = Path(tempfile.mkdtemp())
    short = (f"training.total_steps={STEPS}", "evaluation.episodes=1", *overrides)
    compile_spec(resolve(ROOT / "specs" / f"{name}.yaml", short)).write(folder)
    return load_module(folder / "module.py")


def _train(module: ModuleType, folder: Path) -> float:
    """Seconds of CPU time an iteration, the median of a run's."""
    times = []
    with runs.Run(folder, device="cpu", mode="quiet", module=module) as run:
        log = run.log

        def timed(*arguments: Any) -> None:
            log(*arguments)
            times.append(time.thread_time())

        run.log = timed  # type: ignore[method-assign]
        module.train(run)
    return statistics.median(np.diff(times).tolist())


def _parts(name: str, module: ModuleType, folder: Path, iteration: float) -> str:
    rows = list(read_metrics(folder / "metrics.csv", []))
    updates = module.EPOCHS * module.BATCH_SIZE // module.MINIBATCH_SIZE
    result = (module.initial_learner(1), None)
    log = UpdateLog(lambda *arguments: result)
    rewards = np.ones((module.ROLLOUT_LENGTH, module.NUM_ENVS), np.float32)

    def bare(*arguments: Any) -> Any:
        return result

    def calls(step: Callable[..., Any]) -> None:
        for _ in range(updates):
            step(1, 2, 3, 4, 5)

    def remember() -> None:
        calls(log)
        log.forget()

    # A new monitor now and then, since the first iterations of a run are as costly as the others.
    def look() -> Iterator[None]:
        while True:
            monitor = agent_monitor(facts_of(module.INTERFACE))
            for step, row in rows:
                monitor.check(step, row)
                offence(row)
                yield

    checks = look()
    watch = _each(remember) - _each(lambda: calls(bare))
    check = _each(lambda: next(checks))
    calls(log)
    finite = _each(lambda: log.lost)
    reward = _each(lambda: float(abs(rewards).max()))
    share = (watch + check + finite + reward) / iteration
    return (
        f"| {name} | {iteration * 1e3:.2f} | {watch * 1e6:.1f} | {check * 1e6:.1f} | "
        f"{finite * 1e6:.1f} | {reward * 1e6:.1f} | {share:.2%} |"
    )


def _each(function: Callable[[], Any], repeats: int = 100) -> float:
    """Seconds of CPU time a call: the median of 50 times so many repeats."""
    times = []
    for _ in range(50):
        start = time.thread_time()
        for _ in range(repeats):
            function()
        times.append((time.thread_time() - start) / repeats)
    return statistics.median(times)


def _whole(name: str, module: ModuleType) -> str:
    pairs = []
    for number in range(PAIRS):
        order = (True, False) if number % 2 else (False, True)
        times = {watched: _seconds(module, watched) for watched in order}
        pairs.append((times[True], times[False]))
    changes = sorted(watched / bare - 1 for watched, bare in pairs)
    low, _, high = statistics.quantiles(changes, n=4)
    watched, bare = (statistics.median(x) for x in zip(*pairs, strict=True))
    return (
        f"| {name} | {watched:.3f} | {bare:.3f} | {statistics.median(changes):+.1%} | "
        f"{low:+.1%} to {high:+.1%} |"
    )


def _seconds(module: ModuleType, watched: bool) -> float:
    """Seconds of CPU time that a run takes."""
    kept = runs.Run.log_updates, Watch.check, runs.offence
    if not watched:
        runs.Run.log_updates = lambda self, step: step  # type: ignore[method-assign]
        Watch.check = lambda self, step, row: None  # type: ignore[method-assign]
        runs.offence = lambda metrics, limits: None
    try:
        with runs.Run(Path(tempfile.mkdtemp()), device="cpu", mode="quiet", module=module) as run:
            start = time.thread_time()
            module.train(run)
            return time.thread_time() - start
    finally:
        runs.Run.log_updates, Watch.check, runs.offence = kept  # type: ignore[method-assign]


if __name__ == "__main__":
    _stages(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
