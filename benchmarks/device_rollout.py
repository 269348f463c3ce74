"""Rollouts on the host and on the device: CartPole with few and many environments.

    python benchmarks/device_rollout.py [--runs 3]

On the host the environments are gymnasium's (up to 8) or envpool's, stepped through NumPy; on the
device they are tensors, compiled with the policy. Both have their update compiled, and compiled
beforehand. The two alternate, each run in a process of its own; medians of the steady rate. Prints
a table and writes it to benchmarks/results/device_rollout.md.
"""

import argparse
import os
import statistics
from pathlib import Path

from scaling import table, train

RESULTS = Path(__file__).parent / "results"
COUNTS = (8, 64, 512, 4096)
EPOCHS = (20, 4)


def rate(count: int, epochs: int, backend: str) -> float:
    """Steady environment steps a second of one run."""
    batch = max(2048, 32 * count)
    row = train(
        "ppo/cartpole",
        f"env={{num_envs: {count}, backend: {backend}}}",
        f"update={{rollout_steps: {batch}, minibatch_size: {batch // 8}, epochs: {epochs}}}",
        f"training={{total_steps: {max(60_000, 3 * batch)}, compile: always}}",
    )
    return row["steady"]


def row(count: int, epochs: int, runs: int) -> list[str]:
    host = "gymnasium" if count <= 8 else "envpool"
    rates: dict[str, list[float]] = {host: [], "torch": []}
    for _ in range(runs):
        for backend, found in rates.items():
            found.append(rate(count, epochs, backend))
    before, after = (statistics.median(found) for found in rates.values())
    return [
        f"{count:,}",
        f"{epochs}",
        host,
        f"{before:,.0f}",
        f"{after:,.0f}",
        f"{after / before:.1f}×",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    command = f"`python benchmarks/device_rollout.py --runs {runs}`"
    title = (
        f"{command}, {len(os.sched_getaffinity(0))} cores, shared with other work.\n\n"
        "Training CartPole, 32 steps of each environment (at least 2,048), 8 minibatches an epoch; "
        f"medians of {runs}, alternating:\n\n"
    )
    head = ("environments", "epochs", "host's backend", "host, steps/s", "device, steps/s", "gain")
    rows: list[list[str]] = []
    for epochs in EPOCHS:
        for count in COUNTS:
            rows.append(row(count, epochs, runs))
            (RESULTS / "device_rollout.md").write_text(title + table(head, rows))
    print(title + table(head, rows))


if __name__ == "__main__":
    main()
