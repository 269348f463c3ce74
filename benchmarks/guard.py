"""Cost of checking what environments hand over, beside the iteration that it is part of.

    python benchmarks/guard.py

Writes benchmarks/results/guard.md. Times are medians of repeats, in one thread.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ppoc import runtime
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.envs.guard import check_rollout
from ppoc.runtime.run.launch import load_module

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "results" / "guard.md"
SPECS = {"ppo/cartpole": (), "ppo/halfcheetah": ("env.backend=gymnasium",)}


def main() -> None:
    """Measure, and write the table."""
    torch.set_num_threads(1)
    lines = [
        "# What checking rollouts costs",
        "",
        "`python benchmarks/guard.py`, one thread: the rollout is that of `collect`, without the "
        "update after it; the check is `runtime.check_rollout`, once a rollout; types and shapes "
        "of what an environment answers are compared at each step of each of them.",
        "",
        "| spec | steps a rollout | rollout, ms | check, µs | share | types, µs | share |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, overrides in SPECS.items():
        lines.append(_row(name, overrides))
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _row(name: str, overrides: tuple[str, ...]) -> str:
    folder = Path(tempfile.mkdtemp())
    compile_spec(resolve(ROOT / "specs" / f"{name}.yaml", overrides)).write(folder)
    module = load_module(folder / "module.py")
    envs = module.make_envs(module.NUM_ENVS)
    w = runtime.as_arrays(module.initial_parameters(1), module.SHAPES)
    declared = module.INTERFACE.policy.new_normalizer
    normalize = [declared()] if declared else []
    noise = module.draw_noise(np.random.default_rng(0), module.ROLLOUT_LENGTH, module.NUM_ENVS)
    observations = envs.reset(1)
    rollout, _ = module.collect(envs, w, *normalize, observations, noise)
    each = rollout.observations.shape[2:]
    one = rollout.observations[0, 0]

    def collect() -> None:
        module.collect(envs, w, *normalize, observations, noise)

    reward, end, cut, reward_type, dtype = 1.0, False, False, float, one.dtype

    def types() -> None:
        for _ in range(module.BATCH_SIZE):
            kind = getattr(one, "dtype", None)
            if type(reward) is not reward_type or end is not False or cut is not False:
                raise AssertionError
            if kind is not dtype or one.shape != each:
                raise AssertionError

    def nothing() -> None:
        for _ in range(module.BATCH_SIZE):
            pass

    whole = _median(collect, 30)
    check = _median(lambda: check_rollout(module.ENV_ID, rollout), 300)
    compare = _median(types, 300) - _median(nothing, 300)
    return (
        f"| {name} | {module.BATCH_SIZE:,} | {whole * 1e3:.1f} | {check * 1e6:.0f} | "
        f"{check / whole:.2%} | {compare * 1e6:.0f} | {compare / whole:.2%} |"
    )


def _median(function: Callable[[], None], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
