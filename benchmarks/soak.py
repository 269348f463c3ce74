"""Does a process that trains for long stay as it is? Memory, open files and threads over time.

    python benchmarks/soak.py --minutes 55

One process trains CartPole again and again, with evaluations on the way, checkpoints of which the
newest three are kept, metrics.csv and TensorBoard's events. A thread takes a sample every few
seconds. After the warm-up, a straight line is fitted to each quantity by least squares; what it
grows by over the time sampled is the verdict. Writes benchmarks/results/soak.md, anew each minute.
"""

import argparse
import os
import platform
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.run.launch import execute, load_module
from ppoc.runtime.run.run import Run

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "soak.md"
STEPS_EACH = 1_000_000
SAMPLE_SECONDS = 5.0
WARM_UP = 0.2  # of the time: caches fill, allocators settle
# The growth at which a line still counts as flat: noise of an allocator, and nothing else.
ALLOWED = {"memory": 2.0, "open files": 1.0, "threads": 1.0}


class Sample(NamedTuple):
    """The state of the process at a time."""

    seconds: float
    memory: float  # resident, MiB
    files: int
    threads: int
    runs: int
    steps: int


def main() -> None:
    """Train and sample until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=55)
    parser.add_argument("--steps", type=int, default=STEPS_EACH, help="of each run")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds slept each iteration")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    Soak(arguments.pause, arguments.minutes * 60, arguments.steps, arguments.out).run()


class Soak:
    """Training that is watched."""

    def __init__(self, pause: float, seconds: float, steps_each: int, out: Path) -> None:
        self.samples: list[Sample] = []
        self._pause, self._seconds = pause, seconds
        self._steps_each, self._out = steps_each, out
        self._start = time.monotonic()
        self._runs = self._steps = self._steps_before = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Run until the time is over; the run then under way ends as a signal would end it."""
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        overrides = (
            f"training.total_steps={self._steps_each}",
            "evaluation={every: 50_000, episodes: 5}",
            "training.compile=always",  # also where a run is too short to earn it back
        )
        compile_spec(resolve(ROOT / "specs/ppo/cartpole.yaml", overrides)).write(folder / "spec")
        module = load_module(folder / "spec" / "module.py")
        self._watch_log()
        sampler = threading.Thread(target=self._sample, daemon=True)
        sampler.start()
        while not self._over.is_set():
            place = folder / f"run-{self._runs}"
            place.mkdir()
            execute(module, place, mode="quiet")
            self._runs += 1
            self._steps_before += self._steps_each
            shutil.rmtree(place)
        sampler.join()
        shutil.rmtree(folder)
        self.write()

    def _watch_log(self) -> None:
        """Count steps, pause, and stop at the end, where an iteration logs its metrics."""
        log = Run.log

        def watched(run: Run, steps: int, metrics: dict[str, float]) -> None:
            log(run, steps, metrics)
            self._steps = self._steps_before + steps
            time.sleep(self._pause)
            if self._over.is_set():
                run._signals.requested = True

        Run.log = watched

    def _sample(self) -> None:
        written = 0.0
        while (now := time.monotonic() - self._start) < self._seconds:
            self.samples.append(
                Sample(now, _memory(), _files(), _threads(), self._runs, self._steps)
            )
            if now - written > 60:
                written = now
                self.write()
            time.sleep(SAMPLE_SECONDS)
        self._over.set()

    def write(self) -> None:
        """Write the verdict so far."""
        text = report(self.samples, self._pause, self._steps_each)
        self._out.write_text(text, encoding="utf-8")


def report(samples: list[Sample], pause: float, steps_each: int) -> str:
    """The samples as Markdown."""
    last = samples[-1]
    settled = [s for s in samples if s.seconds >= WARM_UP * last.seconds]
    names = {"memory": "memory", "open files": "files", "threads": "threads"}
    minutes = (settled[-1].seconds - settled[0].seconds) / 60
    command = f"python benchmarks/soak.py --minutes {round(last.seconds / 60)}"
    if steps_each != STEPS_EACH:
        command += f" --steps {steps_each}"
    if pause:
        command += f" --pause {pause}"
    lines = [
        "# Soak",
        "",
        f"`{command}`: one process trained CartPole for {last.seconds / 60:.0f} minutes on one "
        f"thread (torch {torch.__version__}, Python {platform.python_version()}): "
        f"{last.runs} whole runs of {steps_each:,} steps and part of another, {last.steps:,} steps "
        "in all; evaluations every 50,000, ten checkpoints a run, of which three are kept.",
        *(
            [
                "",
                f"It slept {pause * 1000:g} ms each iteration, to leave the machine to others: the "
                "steps a second say nothing.",
            ]
            if pause
            else []
        ),
        "",
        f"A line fitted by least squares to {len(settled)} samples, one every "
        f"{SAMPLE_SECONDS:g} s, without the first {WARM_UP:.0%} of the time:",
        "",
        "| quantity | mean | smallest | largest | growth an hour | growth in "
        f"{minutes:.0f} minutes | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, field in names.items():
        values = np.array([getattr(s, field) for s in settled], float)
        slope = _slope(np.array([s.seconds for s in settled]), values)
        growth = slope * minutes * 60
        allowed = ALLOWED[name]
        verdict = "flat" if growth < allowed else f"grows: more than {allowed:g}"
        unit = " MiB" if name == "memory" else ""
        lines.append(
            f"| {name} | {values.mean():.1f}{unit} | {values.min():.1f} | {values.max():.1f} | "
            f"{slope * 3600:+.2f}{unit} | {growth:+.2f}{unit} | {verdict} |"
        )
    lines += ["", "| minute | memory, MiB | open files | threads | runs | steps |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for sample in samples[:: max(1, len(samples) // 12)]:
        lines.append(
            f"| {sample.seconds / 60:.1f} | {sample.memory:.1f} | {sample.files} | "
            f"{sample.threads} | {sample.runs} | {sample.steps:,} |"
        )
    return "\n".join(lines) + "\n"


def _slope(seconds: np.ndarray, values: np.ndarray) -> float:
    if len(seconds) < 2:
        return 0.0
    return float(np.polyfit(seconds - seconds.mean(), values, 1)[0])


def _memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


if __name__ == "__main__":
    main()
