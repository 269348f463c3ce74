"""No learning: random actions through ppoc's environments, as many as a rollout takes at once.

    python benchmarks/contenders/run_stepping.py SPEC [KEY.PATH=VALUE ...]

What stepping alone gives on the backend and threads that ppoc trains with: an upper bound.
"""

import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from task import report


def main() -> None:
    from ppoc.compiler.output.build import MODULE, compile_spec
    from ppoc.compiler.resolve import resolve
    from ppoc.runtime.run.launch import load_module

    resolved = resolve(Path(sys.argv[1]), sys.argv[2:])
    folder = Path(tempfile.mkdtemp())
    compile_spec(resolved).write(folder)
    module = load_module(folder / MODULE)
    spec, num_envs = resolved.spec, module.NUM_ENVS
    envs = module.make_envs(num_envs)
    envs.action_space.seed(module.SEED)
    envs.reset(module.SEED)
    actions = np.array([[envs.action_space.sample() for _ in range(num_envs)] for _ in "12345678"])
    steps = math.ceil(spec.training.total_steps / num_envs)
    start = time.perf_counter()
    for t in range(steps):
        envs.step(actions[t % len(actions)])
    rate = steps * num_envs / (time.perf_counter() - start)
    report(steps * num_envs, rate, rate, math.nan)


if __name__ == "__main__":
    main()
