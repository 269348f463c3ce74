"""Seconds of one update, eager and compiled: what the planner's choice between them rests on.

    python benchmarks/update.py

Uses the zoo's HalfCheetah spec: two 64×64 networks, minibatches of 64, one thread. The cache of
torch's compiler is set aside, so that the first call shows what compiling costs the first time.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()

import torch

from ppoc.compiler.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.launch import load_module

SPEC = Path(__file__).parents[1] / "specs" / "ppo" / "halfcheetah.yaml"


def measure(total_steps: int, calls: int) -> tuple[str, float, float]:
    """The plan's choice for a run of that length, seconds of the first call, of a later one."""
    compiled = compile_spec(resolve(SPEC, [f"training.total_steps={total_steps}"]))
    folder = Path(tempfile.mkdtemp())
    compiled.write(folder)
    module = load_module(folder / "module.py")
    size = module.BATCH_SIZE
    column = torch.randn(size)
    batch = module.Batch(torch.randn(size, 17), torch.randn(size, 6), *[column] * 4)
    step = module.update
    if compiled.plan.compile_update:
        step = torch.compile(module.update, fullgraph=True, dynamic=False)
    learner, rate = module.initial_learner(1), torch.tensor(3e-4)
    seconds = []
    for _ in range(calls):
        indices = torch.randint(size, (module.MINIBATCH_SIZE,))
        start = time.perf_counter()
        learner, _ = step(learner, batch, indices, rate)
        seconds.append(time.perf_counter() - start)
    choice = "compiled" if compiled.plan.compile_update else "eager"
    return choice, seconds[0], statistics.median(seconds[1:])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for total_steps in (10_000, 1_000_000):
        choice, first, later = measure(total_steps, 2_000)
        print(f"{choice:<9} first call {first:6.2f} s, later {later * 1e3:.3f} ms")
