"""LeanRL's PPO, run as it is: ppo_continuous_action_torchcompile.py with --compile, on the CPU.

The environment variable LEANRL names a checkout; the script runs in a temporary folder with the
interpreter of this one and with Weights & Biases disabled. Its progress bar marks the end of each
iteration: a sitecustomize module in that folder stamps the clock each time the bar's iterator is
asked for the next one. CUDA graphs are left out, for there are none on a CPU.

Hyper-parameters map as in run_cleanrl, whose script it derives from, with the same limits; nor does
it bootstrap truncated episodes, write TensorBoard events or save checkpoints. It has continuous
actions only. Like CleanRL's it needs a Gymnasium before 1.0 for its wrappers; and a tensordict of
its time, 0.8.3 say, for with 0.14 its policy's parameters require gradients and its rollout fails.
Returns of episodes are not reported, for it logs them to Weights & Biases alone.
"""

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from run_cleanrl import arguments, checkout, registered, require, run
from task import CannotRun, Task, check, contend, mean_return, rates, report

# Python imports a module of this name at its start; it is ours because its folder leads PYTHONPATH.
MARKS = """
import json, time
try:
    import tqdm
except ImportError:
    tqdm = None
else:
    class Marked(tqdm.tqdm):
        def __iter__(self):
            times = []
            for item in super().__iter__():
                times.append(time.perf_counter())
                yield item
            times.append(time.perf_counter())
            with open("marks.json", "w") as file:
                json.dump(times, file)
    tqdm.tqdm = Marked
"""


def measure(task: Task) -> None:
    import gymnasium
    import tensordict  # noqa: F401 (the script's own dependencies; named for a clear message)
    import tqdm  # noqa: F401
    import tyro  # noqa: F401
    import wandb  # noqa: F401

    script = checkout("LEANRL") / "ppo_continuous_action_torchcompile.py"
    require(task)
    task = replace(task, env_id=registered(task.env_id))
    if isinstance(gymnasium.make(task.env_id).action_space, gymnasium.spaces.Discrete):
        raise CannotRun("it has continuous actions only")
    if not (task.normalize_observations and task.normalize_rewards):
        raise CannotRun("it always normalizes observations and rewards")
    place = Path(tempfile.mkdtemp())
    (place / "sitecustomize.py").write_text(MARKS)
    run(
        script,
        [*arguments(task), "--compile"],
        place,
        WANDB_MODE="disabled",
        TORCHINDUCTOR_CACHE_DIR=str(place / "cache"),  # nothing compiled beforehand
        PYTHONPATH=os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")]),
    )
    times = json.loads((place / "marks.json").read_text())
    check(task.iterations, len(times) - 1, "iterations")
    steps = task.iterations * task.rollout_steps
    report(steps, *rates(steps, times[0], times[1], times[-1], task), mean_return([]))


if __name__ == "__main__":
    contend(measure)
