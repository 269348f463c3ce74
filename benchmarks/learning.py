"""Does it learn? Specs of the zoo over several seeds, beside published returns.

    python benchmarks/learning.py --spec ppo/halfcheetah --seeds 3

Each seed is one `ppoc run`; its score is the mean return of a fresh evaluation of the last
checkpoint, with the mode of the policy. Adds rows to benchmarks/results/learning.json and writes
the table of all rows to benchmarks/results/learning.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"

# Mean ± std over seeds (CleanRL) or episodes of one agent (RL Zoo), and environment steps.
PUBLISHED = {
    "ppo/cartpole": {"CleanRL": "490.04 ± 6.12 (500k)", "RL Zoo": "500 ± 0 (100k)"},
    "ppo/cartpole-no-velocity": {"CleanRL": "–", "RL Zoo": "500 ± 0 (100k)"},
    "ppo/acrobot": {"CleanRL": "-86.36 ± 1.32 (500k)", "RL Zoo": "-73.51 ± 18.20 (1M)"},
    "ppo/pendulum": {"CleanRL": "–", "RL Zoo": "-172.23 ± 104.16 (100k, gSDE)"},
    "ppo/lunarlander": {"CleanRL": "–", "RL Zoo": "242.12 ± 31.82 (1M, v2)"},
    "ppo/halfcheetah": {
        "CleanRL": "1442.64 ± 46.03 (1M, v4)",
        "RL Zoo": "5819.10 ± 663.53 (1M, v3)",
    },
    "ppo/halfcheetah-tuned": {"CleanRL": "–", "RL Zoo": "5819.10 ± 663.53 (1M, v3)"},
    "ppo/hopper": {"CleanRL": "2382.86 ± 271.74 (1M, v4)", "RL Zoo": "2410.44 ± 10.03 (1M, v3)"},
    "ppo/walker2d": {"CleanRL": "2287.95 ± 571.78 (1M, v4)", "RL Zoo": "3478.80 ± 821.71 (1M, v3)"},
    "trpo/cartpole": {"CleanRL": "–", "RL Zoo": "500 ± 0 (100k)"},
    "trpo/halfcheetah": {"CleanRL": "–", "RL Zoo": "1785.48 ± 68.67 (1M, v3)"},
    "a2c/cartpole": {"CleanRL": "–", "RL Zoo": "500 ± 0 (500k)"},
}
OTHERS = ("presets", "rlhf", "experiments")
ZOO = [p for p in sorted((ROOT / "specs").glob("*/*.yaml")) if p.parent.name not in OTHERS]
NAMES = [f"{path.parent.name}/{path.stem}" for path in ZOO]


def run_seed(name: str, seed: int, episodes: int) -> dict[str, object]:
    """Train one seed and read its result."""
    folder = Path(tempfile.mkdtemp()) / "run"
    spec = ROOT / "specs" / f"{name}.yaml"
    options = ["--seed", str(seed), "-s", f"evaluation.episodes={episodes}", "--out", str(folder)]
    command = ["ppoc", "run", str(spec), "--quiet", *options]
    subprocess.run([sys.executable, "-m", "ppoc.cli", *command[1:]], check=True)
    result = json.loads((folder / "result.json").read_text())
    score = result["evaluation"]
    print(f"{name} seed {seed}: {score['mean']:.2f} ± {score['std']:.2f}", flush=True)
    return {
        "seed": seed,
        "steps": result["steps"],
        "seconds": result["seconds"],
        "mean": score["mean"],
        "std": score["std"],
        "iqm": score["iqm"],
        "episodes": episodes,
    }


def table(record: dict[str, dict]) -> str:
    lines = [
        "| spec | steps | seeds | mean ± std over seeds | each seed | CleanRL | RL Zoo |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in sorted(record):
        runs = record[name]["runs"]
        means = [run["mean"] for run in runs]
        spread = f"{statistics.fmean(means):.2f} ± {statistics.pstdev(means):.2f}"
        each = ", ".join(f"{mean:.0f}" for mean in means)
        published = " | ".join(PUBLISHED.get(name, {"CleanRL": "–", "RL Zoo": "–"}).values())
        steps = f"{runs[0]['steps']:,}"
        lines.append(f"| {name} | {steps} | {len(runs)} | {spread} | {each} | {published} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spec", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=100)
    arguments = parser.parse_args()
    path = RESULTS / "learning.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    for name in arguments.spec:
        seeds = range(1, arguments.seeds + 1)
        command = f"python benchmarks/learning.py --spec {name} --seeds {arguments.seeds}"
        runs = [run_seed(name, seed, arguments.episodes) for seed in seeds]
        record[name] = {"command": command, "runs": runs}
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        note = "Written by `python benchmarks/learning.py`; the command of each row is in "
        note += "learning.json. Published figures: environment steps and versions in brackets.\n"
        (RESULTS / "learning.md").write_text(f"{note}\n{table(record)}\n")
    print(table(record))


if __name__ == "__main__":
    main()
