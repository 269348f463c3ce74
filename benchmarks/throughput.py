"""Training throughput beside Stable-Baselines3, at the same hyper-parameters, in one run.

    python benchmarks/throughput.py [--task halfcheetah cartpole] [--repeats 5]

Each measurement is a fresh process; the contenders alternate, so that a drift of the machine falls
on both. Two rates of environment steps a second:

- steady: from the end of the first iteration to the end of training, logging and checkpoints
  included. The first iteration holds what is paid once (compiling), so it is left out.
- whole: all steps over all seconds of the training call, what is paid once included, with an empty
  compile cache. By default the slower peer runs fewer steps, since its rate is flat; --equal-steps
  gives both the same.

Prints a table and writes it to benchmarks/results/throughput.{json,md}.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

# Spec, steps for ppoc, steps for peers.
TASKS = {"halfcheetah": (300_000, 24_576), "cartpole": (100_000, 30_720)}


def measure_ppoc(task: str, steps: int) -> dict[str, float]:
    """Compile and train the zoo's spec for a task; evaluation is left out."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()  # nothing compiled beforehand
    import csv

    from ppoc.compiler.build import compile_spec
    from ppoc.compiler.resolve import resolve
    from ppoc.runtime.launch import load_module
    from ppoc.runtime.run import Run

    overrides = [f"training.total_steps={steps}", "evaluation.every=null"]
    compiled = compile_spec(resolve(ROOT / "specs" / "ppo" / f"{task}.yaml", overrides))
    folder = Path(tempfile.mkdtemp())
    compiled.write(folder)
    module = load_module(folder / "module.py")
    start = time.perf_counter()
    with Run(folder, mode="quiet") as run:
        module.train(run)
    seconds = time.perf_counter() - start
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    later = sum(module.BATCH_SIZE / float(row["steps_per_second"]) for row in rows[1:])
    done = len(rows) * module.BATCH_SIZE
    return {
        "steps": done,
        "steady": (done - module.BATCH_SIZE) / later,
        "whole": done / seconds,
        "return": float(rows[-1]["episode_return"]),
    }


def measure_sb3_one_thread(task: str, steps: int) -> dict[str, float]:
    """Stable-Baselines3 with torch kept to one thread, which suits networks this small."""
    import torch

    torch.set_num_threads(1)
    return measure_sb3(task, steps)


def measure_sb3(task: str, steps: int) -> dict[str, float]:
    """Stable-Baselines3's PPO with the hyper-parameters of the zoo's spec, as installed."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    from ppoc.compiler.resolve import resolve

    spec = resolve(ROOT / "specs" / "ppo" / f"{task}.yaml").spec
    envs = make_vec_env(spec.env.id, n_envs=spec.env.num_envs, seed=1)
    if spec.env.normalize.observations:
        envs = VecNormalize(envs, gamma=spec.advantage.gamma)
    rate, clip = spec.optimizer.actor.lr, spec.losses.policy.epsilon
    folder = tempfile.mkdtemp()
    model = PPO(
        "MlpPolicy",
        envs,
        learning_rate=(lambda left: left * rate),
        clip_range=(lambda left: left * clip) if spec.losses.policy.schedule == "linear" else clip,
        clip_range_vf=spec.losses.value.clip,
        n_steps=spec.update.rollout_steps // spec.env.num_envs,
        batch_size=spec.update.minibatch_size,
        n_epochs=spec.update.epochs,
        gamma=spec.advantage.gamma,
        gae_lambda=spec.advantage.lambda_,
        vf_coef=spec.losses.value.coefficient,
        ent_coef=spec.losses.entropy.beta,
        max_grad_norm=spec.optimizer.max_grad_norm,
        tensorboard_log=folder,
        device="cpu",
        seed=1,
    )

    class Marks(BaseCallback):
        """The time at which each iteration ended."""

        def __init__(self) -> None:
            super().__init__()
            self.times: list[float] = []

        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            self.times.append(time.perf_counter())

    marks = Marks()
    every = max(1, steps // 10 // spec.env.num_envs)
    start = time.perf_counter()
    model.learn(steps, callback=[marks, CheckpointCallback(every, folder)])
    end = time.perf_counter()
    batch = spec.update.rollout_steps
    returns = [episode["r"] for episode in model.ep_info_buffer]
    return {
        "steps": model.num_timesteps,
        "steady": (model.num_timesteps - batch) / (end - marks.times[1]),
        "whole": model.num_timesteps / (end - start),
        "return": statistics.fmean(returns) if returns else float("nan"),
    }


CONTENDERS = {
    "ppoc": measure_ppoc,
    "stable-baselines3": measure_sb3,
    "stable-baselines3, one thread": measure_sb3_one_thread,
}


def run_one(contender: str, task: str, steps: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", contender, task, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{contender} on {task} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(task: str, repeats: int, equal_steps: bool) -> dict[str, list[dict[str, float]]]:
    own, peers = TASKS[task]
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for repeat in range(repeats):
        for name in CONTENDERS:
            row = run_one(name, task, own if name == "ppoc" or equal_steps else peers)
            rows[name].append(row)
            print(f"{task} {repeat + 1}/{repeats} {name}: {row}", file=sys.stderr, flush=True)
    return rows


def table(results: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    lines = [
        "| task | contender | steps | steady steps/s | ratio | whole steps/s | ratio | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for task, rows in results.items():
        middle = {
            name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            for name, runs in rows.items()
        }
        own = middle["ppoc"]
        for name, row in middle.items():
            ratios = [f"{own[key] / row[key]:.1f}×" for key in ("steady", "whole")]
            lines.append(
                f"| {task} | {name} | {row['steps']:,.0f} | {row['steady']:,.0f} | {ratios[0]} "
                f"| {row['whole']:,.0f} | {ratios[1]} | {len(rows[name])} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--equal-steps", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, task, steps = arguments.one
        print(json.dumps(CONTENDERS[name](task, int(steps))))
        return
    results = {
        task: compare(task, arguments.repeats, arguments.equal_steps) for task in arguments.task
    }
    names = ("ppoc", "torch", "stable-baselines3", "gymnasium", "envpool", "numpy")
    record = {
        "command": " ".join(["python", "benchmarks/throughput.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {name: version(name) for name in names},
        "results": results,
    }
    text = table(results)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "throughput.json").write_text(json.dumps(record, indent=1) + "\n")
    note = f"`{record['command']}` on {record['machine']}; medians; ratio is ppoc over the row.\n"
    (RESULTS / "throughput.md").write_text(f"{note}\n{text}\n")
    print(text)


if __name__ == "__main__":
    main()
