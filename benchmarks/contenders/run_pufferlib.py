"""PufferLib 3's trainer, PuffeRL, with Gymnasium environments in its Serial backend.

PUFFERLIB_BACKEND=Multiprocessing takes the other backend, which needs cores to spare. Networks are
apart, as the task's, in place of PufferLib's shared default. Its value loss has a hidden half, so
vf_coef is twice the task's coefficient; prio_alpha = 0 turns its prioritized replay off. Its
dashboard is its log; ten checkpoints are saved. The schedules are set on the trainer, whose own is
a cosine.

Not expressed: PuffeRL cuts the rollout into segments no longer than a minibatch, estimates
advantages within each, anew for every minibatch and with V-trace's ratios, and draws a minibatch's
segments with repetition over an epoch; the number of gradient steps and their size are the task's.
It clamps rewards to [-1, 1] and does not bootstrap truncated episodes.

Its source package builds without CUDA where there is no nvcc, but downloads Raylib and Box2D for
environments that are not used here; it needs a Gymnasium no later than 0.29.1, so that the newest
version of the environment may be an older one, as in run_cleanrl.
"""

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from run_cleanrl import registered
from task import CannotRun, Task, adam_steps, check, contend, mean_return, now, rates, report


def make_env(task: Task) -> Callable[..., Any]:
    """A function that makes one environment, with the wrappers of PufferLib's MuJoCo ones."""

    def make(buf: Any = None, seed: int = 0) -> Any:
        import gymnasium
        import numpy as np
        import pufferlib
        import pufferlib.emulation
        from gymnasium.wrappers import NormalizeObservation, NormalizeReward

        class ClipObservation(gymnasium.ObservationWrapper[Any, Any, Any]):
            def observation(self, observation: Any) -> Any:
                return np.clip(observation, -10, 10)

        class ClipReward(gymnasium.RewardWrapper[Any, Any]):
            def reward(self, reward: Any) -> Any:
                return np.clip(reward, -10, 10)

        env: Any = gymnasium.make(task.env_id)
        if isinstance(env.action_space, gymnasium.spaces.Box):
            env = pufferlib.ClipAction(env)
        env = pufferlib.EpisodeStats(env)
        if task.normalize_observations:
            env = ClipObservation(NormalizeObservation(env))
        if task.normalize_rewards:
            env = ClipReward(NormalizeReward(env, gamma=task.gamma))
        return pufferlib.emulation.GymnasiumPufferEnv(env=env, buf=buf)

    return make


def make_policy(task: Task, envs: Any) -> Any:
    import gymnasium
    import torch
    from pufferlib.pytorch import layer_init

    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[task.activation]
    inputs = envs.single_observation_space.shape[0]
    actions = envs.single_action_space
    continuous = isinstance(actions, gymnasium.spaces.Box)

    def mlp(outputs: int, std: float) -> torch.nn.Module:
        sizes = (inputs, *task.layers)
        hidden: list[torch.nn.Module] = []
        for before, after in pairwise(sizes):
            hidden += [layer_init(torch.nn.Linear(before, after)), activation()]
        return torch.nn.Sequential(*hidden, layer_init(torch.nn.Linear(sizes[-1], outputs), std))

    class Policy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            outputs = actions.shape[0] if continuous else int(actions.n)
            self.actor = mlp(outputs, 0.01)
            self.critic = mlp(1, 1.0)
            if continuous:
                self.log_std = torch.nn.Parameter(torch.zeros(1, outputs))

        def forward(self, seen: torch.Tensor, state: Any = None) -> tuple[Any, torch.Tensor]:
            seen = seen.float()
            out = self.actor(seen)
            if continuous:
                out = torch.distributions.Normal(out, self.log_std.expand_as(out).exp())
            return out, self.critic(seen)

        forward_eval = forward

    return Policy()


def measure(task: Task) -> None:
    import pufferlib.pufferl
    import pufferlib.vector
    import torch

    task = replace(task, env_id=registered(task.env_id))
    horizon = min(task.minibatch_size, task.rollout_steps // task.num_envs)
    if task.minibatch_size % horizon or task.rollout_steps % horizon:
        raise CannotRun("its minibatches are whole segments of the rollout")
    torch.manual_seed(task.seed)
    backend = getattr(pufferlib.vector, os.environ.get("PUFFERLIB_BACKEND", "Serial"))
    envs = pufferlib.vector.make(
        make_env(task), backend=backend, num_envs=task.num_envs, seed=task.seed
    )
    every = max(1, task.iterations // 10)
    config: dict[str, Any] = {
        "env": task.env_id,
        "seed": task.seed,
        "device": "cpu",
        "torch_deterministic": True,
        "cpu_offload": False,
        "precision": "float32",
        "use_rnn": False,
        "compile": False,
        "optimizer": "adam",
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_eps": task.adam_epsilon,
        "learning_rate": task.lr,
        "anneal_lr": task.lr_schedule == "linear",
        "total_timesteps": task.iterations * task.rollout_steps,
        "batch_size": task.rollout_steps,
        "bptt_horizon": horizon,
        "minibatch_size": task.minibatch_size,
        "max_minibatch_size": task.minibatch_size,
        "update_epochs": task.epochs,
        "gamma": task.gamma,
        "gae_lambda": task.lam,
        "clip_coef": task.clip_range,
        "vf_clip_coef": math.inf if task.value_clip is None else task.value_clip,
        "vf_coef": 2 * task.value_coefficient,
        "ent_coef": task.entropy_beta,
        "max_grad_norm": task.max_grad_norm,
        "vtrace_rho_clip": 1.0,
        "vtrace_c_clip": 1.0,
        "prio_alpha": 0.0,
        "prio_beta0": 1.0,
        "checkpoint_interval": every,
        "data_dir": tempfile.mkdtemp(),
    }
    start = now()
    trainer = pufferlib.pufferl.PuffeRL(config, envs, make_policy(task, envs))

    def left(iteration: int) -> float:
        return 1 - iteration / task.iterations

    trainer.scheduler = torch.optim.lr_scheduler.LambdaLR(trainer.optimizer, left)
    returns: list[float] = []
    marks: list[float] = []
    while trainer.global_step < config["total_timesteps"]:
        if task.clip_schedule == "linear":
            config["clip_coef"] = task.clip_range * left(len(marks))
        stats = trainer.evaluate()
        returns.extend(stats.get("episode_return", []))
        stats.pop("episode_return", None)
        trainer.train()
        marks.append(now())
    steps = trainer.global_step
    check(task.iterations, len(marks), "iterations")
    check(task.gradient_steps, adam_steps(trainer.optimizer))
    trainer.close()
    report(steps, *rates(steps, start, marks[0], marks[-1], task), mean_return(returns))


if __name__ == "__main__":
    contend(measure)
