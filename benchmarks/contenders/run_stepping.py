"""No learning: random actions through ppoc's environments, as many as a rollout takes at once.

    python benchmarks/contenders/run_stepping.py '<a Task as JSON>' BACKEND

What stepping alone gives on the backend and threads that ppoc trains with: an upper bound.
"""

import math
import sys
import time

import numpy as np
from task import Task, report


def main() -> None:
    from ppoc import runtime

    task = Task.from_json(sys.argv[1])
    envs = runtime.make_envs(task.env_id, task.num_envs, backend=sys.argv[2])
    envs.action_space.seed(task.seed)
    envs.reset(task.seed)
    actions = np.array(
        [[envs.action_space.sample() for _ in range(task.num_envs)] for _ in "12345678"]
    )
    steps = math.ceil(task.total_steps / task.num_envs)
    start = time.perf_counter()
    for t in range(steps):
        envs.step(actions[t % len(actions)])
    rate = steps * task.num_envs / (time.perf_counter() - start)
    report(steps * task.num_envs, rate, rate, math.nan)


if __name__ == "__main__":
    main()
