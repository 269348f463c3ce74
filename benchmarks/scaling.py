"""Where the cost of a step has a knee: environments, widths of networks, lengths of runs.

    python benchmarks/scaling.py [--long]

Stepping alone, on every backend, from 1 to 4,096 environments; training CartPole from 1 to 4,096
environments, HalfCheetah with networks from 64×64 to 1024×1024, and CartPole from 10⁴ to 10⁶ steps,
with --long to 10⁷. Prints tables and writes them to benchmarks/results/scaling.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.vector import Backend, EnvironmentFailure

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COUNTS = (1, 2, 4, 8, 16, 64, 256, 512, 1024, 4096)
BACKENDS: tuple[Backend, ...] = ("gymnasium", "envpool", "torch")


def stepping(env_id: str, count: int, backend: Backend) -> str:
    """Environment steps a second with random actions; a dash where the backend has it not."""
    try:
        envs = make(env_id, count, backend=backend)
    except EnvironmentFailure:
        return "–"
    envs.action_space.seed(0)
    envs.reset(0)
    actions = [np.array([envs.action_space.sample() for _ in range(count)]) for _ in range(8)]
    for taken in actions:
        envs.step(taken)
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.5:
        envs.step(actions[calls % 8])
        calls += 1
    return f"{calls * count / (time.perf_counter() - start):,.0f}"


def train(spec: str, *overrides: str) -> dict[str, float]:
    """One run of ppoc, in a process of its own, compiled beforehand where it is compiled."""
    script = str(ROOT / "benchmarks" / "contenders" / "run_ppoc.py")
    command = [sys.executable, script, str(ROOT / "specs" / f"{spec}.yaml"), *overrides]
    done = subprocess.run(
        [*command, "evaluation.every=null"], capture_output=True, text=True, check=True
    )
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(overrides, row, file=sys.stderr, flush=True)
    return row


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def training_row(label: str, row: dict[str, float]) -> list[str]:
    return [label, f"{row['steady']:,.0f}", f"{row['whole']:,.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--long", action="store_true", help="also a run of 10⁷ steps")
    arguments = parser.parse_args()
    head = ("steady steps/s", "whole steps/s")
    parts = [f"`python benchmarks/scaling.py`, {len(os.sched_getaffinity(0))} cores.\n"]
    for env_id in ("CartPole-v1", "Pendulum-v1", "HalfCheetah-v5"):
        counts = COUNTS if env_id != "HalfCheetah-v5" else COUNTS[:7]
        rows = [[f"{n:,}", *(stepping(env_id, n, b) for b in BACKENDS)] for n in counts]
        parts.append(f"Stepping {env_id}, random actions, environment steps a second:\n")
        parts.append(table(("environments", *BACKENDS), rows))
    rows = []
    for count in (1, 8, 64, 512, 4096):
        batch = max(2048, 32 * count)
        changes = (f"env.num_envs={count}", f"update.rollout_steps={batch}")
        total = max(120_000, 20 * batch)
        more = (f"update.minibatch_size={batch // 8}", f"training.total_steps={total}")
        row = train("ppo/cartpole", *changes, *more, "training.compile=always")
        rows.append(training_row(f"{count:,}", row))
    parts.append(
        "Training CartPole, 20 epochs of 8 minibatches, 32 steps of each (at least 2,048):\n"
    )
    parts.append(table(("environments", *head), rows))
    rows = []
    for width in (64, 256, 512, 1024):
        layers = [f"networks.{name}.layers=[{width}, {width}]" for name in ("actor", "critic")]
        row = train("ppo/halfcheetah", *layers, "training.total_steps=20_000")
        rows.append(training_row(f"{width}×{width}", row))
    parts.append("Training HalfCheetah, minibatches of 64, 20,000 steps:\n")
    parts.append(table(("networks", *head), rows))
    rows = []
    for power in (4, 5, 6, *((7,) if arguments.long else ())):
        row = train("ppo/cartpole", f"training.total_steps={10**power}")
        rows.append(training_row(f"{10**power:,}", row))
    parts.append("Training CartPole as the zoo has it, the planner choosing:\n")
    parts.append(table(("steps", *head), rows))
    text = "\n".join(parts)
    (RESULTS / "scaling.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
