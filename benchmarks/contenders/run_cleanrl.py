"""CleanRL's PPO, run as it is: ppo_continuous_action.py, ppo.py for discrete actions, ppo_atari.py.

The environment variable CLEANRL names a checkout. The script runs in a temporary folder, with the
interpreter of this one, on the CPU. Its rates come from its TensorBoard events, whose wall times
mark the end of each iteration: `steady` from the end of the first, `whole` from the event that
opens the run, before the environments are made, to the last.

CleanRL's value loss has a hidden half, so its vf_coef is twice the task's coefficient. Not
expressed: a clip schedule (the clip stays constant), another value clip than the policy's,
bootstrap of truncated episodes, other networks than 64-64 tanh, another epsilon of Adam than 1e-5,
checkpoints (it saves none while training). ppo_continuous_action.py always normalizes observations
and rewards, ppo.py never.

ppo_continuous_action.py calls wrappers that changed in Gymnasium 1.0 and so needs one before it,
0.29.1 say; there the environment is the newest version that is registered (HalfCheetah-v4 in place
of v5: the same model). ppo.py runs with later ones too, but then logs no returns of episodes.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from task import CannotRun, Task, check, contend, mean_return, rates, report

HERE = Path.cwd()  # before a contender leaves it


def arguments(task: Task, with_half: float = 2.0) -> list[str]:
    """The options of CleanRL's scripts, which LeanRL's share."""
    values: dict[str, object] = {
        "env-id": task.env_id,
        "seed": task.seed,
        "total-timesteps": task.iterations * task.rollout_steps,
        "learning-rate": task.lr,
        "num-envs": task.num_envs,
        "num-steps": task.rollout_steps // task.num_envs,
        "gamma": task.gamma,
        "gae-lambda": task.lam,
        "num-minibatches": task.rollout_steps // task.minibatch_size,
        "update-epochs": task.epochs,
        "clip-coef": task.clip_range,
        "ent-coef": task.entropy_beta,
        "vf-coef": with_half * task.value_coefficient,
        "max-grad-norm": task.max_grad_norm,
    }
    flags = {
        "anneal-lr": task.lr_schedule == "linear",
        "clip-vloss": task.value_clip is not None,
        "cuda": False,
    }
    options = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    return options + [f"--{'' if on else 'no-'}{name}" for name, on in flags.items()]


def require(task: Task) -> None:
    """Refuse a task that the scripts cannot express closely enough."""
    if not task.atari and (task.layers != (64, 64) or task.activation != "tanh"):
        raise CannotRun("its networks are 64-64 tanh")
    if task.adam_epsilon != 1e-5:
        raise CannotRun("its Adam's epsilon is 1e-5")
    if task.value_clip not in (None, task.clip_range):
        raise CannotRun("its value clip is the policy's clip range")


def registered(env_id: str) -> str:
    """The environment, or its newest version where Gymnasium is too old to have it."""
    import gymnasium

    if env_id in gymnasium.registry:
        return env_id
    name = env_id.rpartition("-v")[0]
    versions = [spec.version or 0 for spec in gymnasium.registry.values() if spec.name == name]
    if not versions:
        raise CannotRun(f"no environment {env_id}")
    return f"{name}-v{max(versions)}"


def checkout(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        raise CannotRun(f"the environment variable {variable} does not name a checkout")
    path = HERE / folder / variable.lower()
    if not path.is_dir():
        raise CannotRun(f"{folder} has no folder {variable.lower()}/")
    return path


def run(script: Path, options: list[str], folder: Path, first: str = "", **environment: str) -> str:
    """Run a script to its end and return what it wrote, stdout and stderr.

    `first` is a statement to run before it.
    """
    if not script.is_file():
        raise CannotRun(f"{script.name} is not in the checkout")
    play = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    start = ["-c", f"{first}; {play}"] if first else []
    done = subprocess.run(
        [sys.executable, *start, str(script), *options],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        import gymnasium

        lines = done.stdout.strip().splitlines() or ["no output"]
        where = f"{script.name} failed with gymnasium {gymnasium.__version__}"
        raise CannotRun(f"{where}: {lines[-1]}")
    return done.stdout


def measure(task: Task) -> None:
    import gymnasium
    import tyro  # noqa: F401 (the scripts' own dependency; named here for a clear message)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = checkout("CLEANRL")
    require(task)
    if not task.atari:
        task = replace(task, env_id=registered(task.env_id))
    space = None if task.atari else gymnasium.make(task.env_id).action_space
    discrete = task.atari or isinstance(space, gymnasium.spaces.Discrete)
    if task.normalize_observations is discrete or task.normalize_rewards is discrete:
        raise CannotRun("ppo_continuous_action.py always normalizes, ppo.py never")
    name = "ppo_atari.py" if task.atari else "ppo.py" if discrete else "ppo_continuous_action.py"
    script = folder / name
    place = Path(tempfile.mkdtemp())
    games = "import ale_py.registration as r; r.register_v0_v4_envs()"
    first = games if task.atari else ""
    run(script, arguments(task), place, first, PYTHONPATH=str(folder.parent))
    (log,) = (place / "runs").iterdir()
    events = EventAccumulator(str(log))
    events.Reload()
    marks = events.Scalars("charts/SPS")  # the last that an iteration logs
    check(task.iterations, len(marks), "iterations")
    logged = "charts/episodic_return" in events.Tags()["scalars"]
    returns = [event.value for event in events.Scalars("charts/episodic_return")] if logged else []
    opening = events.FirstEventTimestamp()
    times = (opening, marks[0].wall_time, marks[-1].wall_time)
    report(marks[-1].step, *rates(marks[-1].step, *times, task), mean_return(returns))


if __name__ == "__main__":
    contend(measure, takes_images=True)
