"""Training throughput beside other libraries, at the same hyper-parameters, in one run.

    python benchmarks/throughput.py [--task halfcheetah cartpole] [--repeats 5]
        [--python run_tianshou=PATH ...] [--only NAME ...]

Each measurement is a fresh process; the contenders alternate, so that a drift of the machine falls
on all of them. What is measured, in environment steps a second:

- steady: from the end of the first iteration to the end of training, logging and checkpoints
  included. The first iteration holds what is paid once (compiling), so it is left out.
- whole: all steps over all seconds of the training call. For ppoc with its compiled update kept
  from an earlier run, and in a row of its own with nothing kept.

ppoc runs more steps than its peers, whose rates are flat, so that its learning is seen too.
benchmarks/contenders/ has a script for each; --python gives one an interpreter of its own that has
its library. Prints a table and writes it to benchmarks/results/throughput.{json,md}, where tasks
that were not run keep the rows they had.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.compiler.agent.resolved import as_agent
from ppoc.compiler.resolve import resolve

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CONTENDERS = ROOT / "benchmarks" / "contenders"


class Task(NamedTuple):
    """A spec of the zoo, with what the benchmark changes in it."""

    spec: str
    overrides: tuple[str, ...]
    steps: int  # of ppoc
    peer_steps: int


# As the zoo has them; CartPole and the short Pong compiled, as for a second or longer run.
TASKS = {
    "halfcheetah": Task("ppo/halfcheetah", (), 300_000, 16_384),
    "halfcheetah, one environment": Task("ppo/halfcheetah", ("env.num_envs=1",), 200_000, 8_192),
    "pong": Task("ppo/pong", ("training.compile=always",), 24_576, 6_144),
    "cartpole": Task("ppo/cartpole", ("training.compile=always",), 300_000, 30_720),
}


class Contender(NamedTuple):
    """A script of benchmarks/contenders, with its arguments."""

    script: str
    arguments: tuple[str, ...] = ()


PEERS = {
    "stable-baselines3": Contender("run_sb3"),
    "stable-baselines3, one thread": Contender("run_sb3", ("one-thread",)),
    "cleanrl, one thread": Contender("run_cleanrl", ("one-thread",)),
    "leanrl, one thread": Contender("run_leanrl", ("one-thread",)),
    "sbx": Contender("run_sbx", ("one-thread",)),
    "tianshou, one thread": Contender("run_tianshou", ("one-thread",)),
    "torchrl, one thread": Contender("run_torchrl", ("one-thread",)),
    "pufferlib, one thread": Contender("run_pufferlib", ("one-thread",)),
}
# Runs of these are mostly compiling, which varies little: three are enough.
SLOW = ("ppoc, nothing kept", "leanrl, one thread")
PATIENCE = 180  # seconds for a run
OWN = ("ppoc", "ppoc, nothing kept", "bare stepping")


def description(task: Task, steps: int) -> dict[str, Any]:
    """The description that a peer is given: the values of the resolved spec."""
    spec = as_agent(resolve(ROOT / "specs" / f"{task.spec}.yaml", list(task.overrides))).spec
    actor, policy, value = spec.optimizer.actor, spec.losses.policy, spec.losses.value
    return {
        "env_id": spec.env.id,
        "num_envs": spec.env.num_envs,
        "rollout_steps": spec.update.rollout_steps,
        "epochs": spec.update.epochs,
        "minibatch_size": spec.update.minibatch_size,
        "gamma": spec.advantage.gamma,
        "lam": spec.advantage.lambda_,
        "lr": actor.lr,
        "lr_schedule": actor.schedule,
        "clip_range": policy.epsilon,
        "clip_schedule": policy.schedule,
        "value_clip": value.clip,
        "value_coefficient": value.coefficient,
        "entropy_beta": spec.losses.entropy.beta,
        "max_grad_norm": spec.optimizer.max_grad_norm,
        "adam_epsilon": actor.epsilon,
        "normalize_observations": spec.env.normalize.observations,
        "normalize_rewards": spec.env.normalize.rewards,
        "layers": spec.networks.actor.layers,
        "activation": spec.networks.actor.activation,
        "total_steps": steps,
        "seed": spec.training.seed,
        "atari": spec.env.atari is not None,
    }


def command(name: str, task: Task, pythons: dict[str, str]) -> list[str]:
    """The command that measures a contender once."""
    if name in OWN:
        script = "run_stepping" if name == "bare stepping" else "run_ppoc"
        spec = str(ROOT / "specs" / f"{task.spec}.yaml")
        changes = [*task.overrides, f"training.total_steps={task.steps}", "evaluation.every=null"]
        return [sys.executable, str(CONTENDERS / f"{script}.py"), spec, *changes]
    script, more = PEERS[name]
    python = pythons.get(script, sys.executable)
    told = json.dumps(description(task, task.peer_steps))
    return [python, str(CONTENDERS / f"{script}.py"), told, *more]


def run_one(name: str, task: Task, pythons: dict[str, str], cache: str) -> dict[str, Any]:
    """One measurement, or why there is none."""
    kept = tempfile.mkdtemp() if name == "ppoc, nothing kept" else cache
    own = {"PPOC_CACHE": kept, "TORCHINDUCTOR_CACHE_DIR": f"{kept}/inductor"}
    environment = {**os.environ, **(own if name in OWN else {}), "STARTED": str(time.time())}
    try:
        done = subprocess.run(
            command(name, task, pythons),
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return {"reason": f"no result within {PATIENCE} s"}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"reason": lines[-1]}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def compare(
    task: Task, repeats: int, names: list[str], pythons: dict[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each contender, one a repeat; of one that cannot run, the reason, once."""
    cache = tempfile.mkdtemp()
    if "ppoc" in names:
        run_one("ppoc", task, pythons, cache)  # compiles, and keeps what it made
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for repeat in range(repeats):
        for name in names:
            if rows[name] and "reason" in rows[name][0]:
                continue
            if name in SLOW and repeat >= 3:
                continue
            rows[name].append(run_one(name, task, pythons, cache))
            print(f"{repeat + 1}/{repeats} {name}: {rows[name][-1]}", file=sys.stderr, flush=True)
    return rows


def table(results: dict[str, dict[str, list[dict[str, Any]]]]) -> str:
    lines = [
        "| task | contender | steps | steady steps/s | ppoc is | whole steps/s | ppoc is | MiB "
        "| return | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task, rows in results.items():
        middle = {
            name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            for name, runs in rows.items()
            if runs and "reason" not in runs[0]
        }
        own = middle.get("ppoc")
        for name, runs in rows.items():
            if name not in middle:
                lines.append(f"| {task} | {name} | {runs[0]['reason']} | | | | | | | 0 |")
                continue
            row = middle[name]
            ratios = [f"{own[x] / row[x]:.1f}×" if own else "–" for x in ("steady", "whole")]
            score = "–" if math.isnan(row["return"]) else f"{row['return']:.0f}"
            lines.append(
                f"| {task} | {name} | {row['steps']:,.0f} | {row['steady']:,.0f} | {ratios[0]} "
                f"| {row['whole']:,.0f} | {ratios[1]} | {row['memory_mib']:.0f} | {score} "
                f"| {len(runs)} |"
            )
        for name in ("ppoc", "ppoc, nothing kept"):
            if name in middle:
                first = middle[name]["first"]
                lines.append(
                    f"| {task} | {name}: first iteration done after {first:.1f} s | | | | | | | | |"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[*OWN, *PEERS], default=[*OWN, *PEERS])
    parser.add_argument("--python", nargs="+", default=[], metavar="run_NAME=PATH")
    arguments = parser.parse_args()
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    path = RESULTS / "throughput.json"
    results = json.loads(path.read_text())["results"] if path.exists() else {}
    for name in arguments.task:
        results[name] = compare(TASKS[name], arguments.repeats, arguments.only, pythons)
    names = ("ppoc", "torch", "stable-baselines3", "gymnasium", "envpool", "numpy")
    record = {
        "command": "python benchmarks/throughput.py",
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {name: version(name) for name in names},
        "results": results,
    }
    text = table(results)
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    note = (
        f"`{record['command']}` on {record['machine']}; medians; `ppoc is` so many times as fast.\n"
    )
    (RESULTS / "throughput.md").write_text(f"{note}\n{text}\n")
    print(text)


if __name__ == "__main__":
    main()
