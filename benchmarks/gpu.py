"""Everything there is to measure on a CUDA device, in one call.

    python benchmarks/gpu.py

Trains on the CPU and on the device: HalfCheetah as the zoo has it and with 1024×1024 networks and
minibatches of 4,096, and CartPole with 8 and with 4,096 environments, with rollouts on the device
and, for comparison, on the host. Prints a table and writes it to benchmarks/results/gpu.md. Without
a device it says so and ends with code 3.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WIDE = [f"networks.{name}.layers=[1024, 1024]" for name in ("actor", "critic")]
LARGE = ["update.rollout_steps=32768", "update.minibatch_size=4096", "env.num_envs=64"]
MANY = ["env.num_envs=4096", "update.rollout_steps=131072", "update.minibatch_size=16384"]
TASKS = {
    "HalfCheetah": ("ppo/halfcheetah", ["training.total_steps=300_000"]),
    "HalfCheetah, 1024×1024, minibatches of 4,096": (
        "ppo/halfcheetah",
        [*WIDE, *LARGE, "training.total_steps=500_000"],
    ),
    "CartPole": ("ppo/cartpole", ["training.total_steps=200_000"]),
    "CartPole, rollouts on the host": (
        "ppo/cartpole",
        ["env.backend=gymnasium", "training.total_steps=200_000"],
    ),
    "CartPole, 4,096 environments": ("ppo/cartpole", [*MANY, "training.total_steps=5_000_000"]),
    "CartPole, 4,096 environments, rollouts on the host": (
        "ppo/cartpole",
        [*MANY, "env.backend=envpool", "training.total_steps=5_000_000"],
    ),
}


def measure(spec: str, overrides: list[str], device: str) -> dict[str, float]:
    script = str(ROOT / "benchmarks" / "contenders" / "run_ppoc.py")
    path = str(ROOT / "specs" / f"{spec}.yaml")
    changes = [*overrides, f"training.device={device}", "training.compile=always"]
    command = [sys.executable, script, path, *changes, "evaluation.every=null"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{spec} on {device} failed:\n{done.stderr}")
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def main() -> None:
    if not torch.cuda.is_available():
        print("torch finds no CUDA device here: nothing to measure", file=sys.stderr)
        raise SystemExit(3)
    lines = [
        f"`python benchmarks/gpu.py` on {torch.cuda.get_device_name()}, torch {torch.__version__}.",
        "",
        "| task | device | steady steps/s | whole steps/s | first iteration done after | return |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, (spec, overrides) in TASKS.items():
        for device in ("cpu", "cuda"):
            row = measure(spec, overrides, device)
            lines.append(
                f"| {name} | {device} | {row['steady']:,.0f} | {row['whole']:,.0f} "
                f"| {row['first']:.1f} s | {row['return']:.0f} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(lines) + "\n"
    (RESULTS / "gpu.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
