"""Stable-Baselines3's PPO, with its DummyVecEnv (the default of make_vec_env) and VecNormalize.

Every field of a Task has a counterpart: `vf_coef` weighs mean((V - R)^2) without a half, schedules
are functions of the progress left, `clip_range_vf` is the value's clip. Truncated episodes are
bootstrapped. TensorBoard logs and ten checkpoints are written.
"""

import tempfile
from collections.abc import Callable
from typing import Any

from task import Schedule, Task, adam_steps, check, contend, mean_return, now, rates, report


def schedule(value: float, kind: Schedule) -> Any:
    return (lambda left: left * value) if kind == "linear" else value


def train(
    algorithm: Any,
    task: Task,
    policy: dict[str, Any],
    gradient_steps: Callable[[Any], int],
    **settings: Any,
) -> None:
    """Train an algorithm of Stable-Baselines3's interface and report."""
    from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback
    from stable_baselines3.common.env_util import make_atari_env, make_vec_env
    from stable_baselines3.common.vec_env import VecEnv, VecFrameStack, VecNormalize

    if task.atari:
        import ale_py  # noqa: F401 (registers the games)
    make = make_atari_env if task.atari else make_vec_env
    envs: VecEnv = make(task.env_id, n_envs=task.num_envs, seed=task.seed)
    if task.atari:
        envs = VecFrameStack(envs, 4)
    if task.normalize_observations or task.normalize_rewards:
        envs = VecNormalize(
            envs,
            norm_obs=task.normalize_observations,
            norm_reward=task.normalize_rewards,
            gamma=task.gamma,
        )
    folder = tempfile.mkdtemp()
    model = algorithm(
        "CnnPolicy" if task.atari else "MlpPolicy",
        envs,
        learning_rate=schedule(task.lr, task.lr_schedule),
        clip_range=schedule(task.clip_range, task.clip_schedule),
        n_steps=task.rollout_steps // task.num_envs,
        batch_size=task.minibatch_size,
        n_epochs=task.epochs,
        gamma=task.gamma,
        gae_lambda=task.lam,
        vf_coef=task.value_coefficient,
        ent_coef=task.entropy_beta,
        max_grad_norm=task.max_grad_norm,
        policy_kwargs={"net_arch": list(task.layers), **policy},
        tensorboard_log=folder,
        device="cpu",
        seed=task.seed,
        **settings,
    )

    class Marks(BaseCallback):
        """The time at which each iteration ended."""

        def __init__(self) -> None:
            super().__init__()
            self.times: list[float] = []

        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            self.times.append(now())

    marks = Marks()
    every = max(1, task.total_steps // 10 // task.num_envs)
    start = now()
    model.learn(task.total_steps, callback=[marks, CheckpointCallback(every, folder)])
    end = now()
    check(task.iterations, len(marks.times), "iterations")
    check(task.gradient_steps, gradient_steps(model))
    first = marks.times[1] if len(marks.times) > 1 else end
    returns = [episode["r"] for episode in model.ep_info_buffer or ()]
    report(
        model.num_timesteps,
        *rates(model.num_timesteps, start, first, end, task),
        mean_return(returns),
    )


def measure(task: Task) -> None:
    import torch
    from stable_baselines3 import PPO

    activations = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
    policy = {
        "activation_fn": activations[task.activation],
        "optimizer_kwargs": {"eps": task.adam_epsilon},
    }
    train(
        PPO,
        task,
        policy,
        lambda model: adam_steps(model.policy.optimizer),
        clip_range_vf=task.value_clip,
    )


if __name__ == "__main__":
    contend(measure, takes_images=True)
