"""Tianshou's PPO (version 2), with its DummyVectorEnv.

TIANSHOU_ENVPOOL=1 takes EnvPool, which it supports too; at few environments that measured slower,
for its collector turns each step's dict of arrays into an array of dicts. Observations are
normalized by VectorEnvNormObs. One epoch of the trainer holds all steps, without test steps;
TensorBoard logs and ten checkpoints are written. `vf_coef` weighs mean((V - R)^2) without a half.
Truncated episodes are bootstrapped.

Not quite expressed: rewards cannot be normalized as they come, so normalize_rewards becomes
`return_scaling` (returns over their running deviation), as in Tianshou's MuJoCo example; the
value's clip is a flag, and its range is the policy's clip range (the same where value_clip =
clip_range). The clip schedule is set from the trainer's callback.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from task import Task, adam_steps, check, contend, mean_return, now, rates, report


def make_envs(task: Task) -> Any:
    """The vector environment, normalizing observations if asked."""
    from tianshou.env import DummyVectorEnv, VectorEnvNormObs

    envs: Any
    if os.environ.get("TIANSHOU_ENVPOOL", "0") != "0":
        import envpool

        envs = envpool.make_gymnasium(task.env_id, num_envs=task.num_envs, seed=task.seed)
    else:
        import gymnasium

        envs = DummyVectorEnv([lambda: gymnasium.make(task.env_id)] * task.num_envs)
        envs.seed(task.seed)
    return VectorEnvNormObs(envs) if task.normalize_observations else envs


def make_algorithm(task: Task, observations: Any, actions: Any) -> Any:
    """The agent, its networks apart, as in Tianshou's MuJoCo example."""
    import torch
    from gymnasium.spaces import Discrete
    from tianshou.algorithm import PPO
    from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
    from tianshou.algorithm.optim import AdamOptimizerFactory, LRSchedulerFactoryLinear
    from tianshou.utils.net.common import Net
    from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
    from tianshou.utils.net.discrete import DiscreteActor
    from torch.distributions import Categorical, Distribution, Independent, Normal

    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[task.activation]

    def net() -> Net:
        return Net(state_shape=observations.shape, hidden_sizes=task.layers, activation=activation)

    def gaussian(inputs: tuple[torch.Tensor, torch.Tensor]) -> Distribution:
        return Independent(Normal(*inputs), 1)

    discrete = isinstance(actions, Discrete)
    actor: torch.nn.Module
    if discrete:
        actor = DiscreteActor(
            preprocess_net=net(), action_shape=int(actions.n), softmax_output=False
        )
    else:
        actor = ContinuousActorProbabilistic(
            preprocess_net=net(), action_shape=actions.shape, unbounded=True
        )
    policy = ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=(lambda logits: Categorical(logits=logits)) if discrete else gaussian,
        action_space=actions,
        action_scaling=not discrete,
        action_bound_method=None if discrete else "clip",
    )
    optimizer = AdamOptimizerFactory(lr=task.lr, eps=task.adam_epsilon)
    if task.lr_schedule == "linear":
        steps = (1, task.total_steps, task.rollout_steps)
        optimizer.with_lr_scheduler_factory(LRSchedulerFactoryLinear(*steps))
    return PPO(
        policy=policy,
        critic=ContinuousCritic(preprocess_net=net()),
        optim=optimizer,
        eps_clip=task.clip_range,
        value_clip=task.value_clip is not None,
        advantage_normalization=True,
        vf_coef=task.value_coefficient,
        ent_coef=task.entropy_beta,
        max_grad_norm=task.max_grad_norm,
        gae_lambda=task.lam,
        gamma=task.gamma,
        max_batchsize=task.rollout_steps,
        return_scaling=task.normalize_rewards,
    )


def measure(task: Task) -> None:
    import numpy as np
    import torch
    from tianshou.data import Collector, VectorReplayBuffer
    from tianshou.trainer import OnPolicyTrainerParams
    from tianshou.utils import TensorboardLogger
    from torch.utils.tensorboard import SummaryWriter

    np.random.seed(task.seed)
    torch.manual_seed(task.seed)
    envs = make_envs(task)
    spaces = [envs.observation_space, envs.action_space]
    if isinstance(spaces[0], list):  # DummyVectorEnv: one for each environment
        spaces = [space[0] for space in spaces]
    algorithm = make_algorithm(task, *spaces)
    returns: list[float] = []

    class Recording(Collector):  # type: ignore[misc]
        def collect(self, *args: Any, **kwargs: Any) -> Any:
            stats = super().collect(*args, **kwargs)
            returns.extend(stats.returns)
            return stats

    collector = Recording(algorithm, envs, VectorReplayBuffer(task.rollout_steps, task.num_envs))
    collector.reset()
    folder = Path(tempfile.mkdtemp())
    times: list[float] = []
    every = max(1, task.iterations // 10)

    def at_iteration(epoch: int, step: int) -> None:
        done = len(times)
        times.append(now())
        if task.clip_schedule == "linear":
            algorithm.eps_clip = task.clip_range * (1 - done / task.iterations)
        if done and done % every == 0:
            torch.save(algorithm.state_dict(), folder / f"{done}.pt")

    start = now()
    algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=collector,
            max_epochs=1,
            epoch_num_steps=task.total_steps,
            collection_step_num_env_steps=task.rollout_steps,
            batch_size=task.minibatch_size,
            update_step_num_repetitions=task.epochs,
            training_fn=at_iteration,
            logger=TensorboardLogger(SummaryWriter(str(folder))),
            verbose=False,
            show_progress=False,
        )
    )
    end = now()
    check(task.gradient_steps, adam_steps(algorithm.optim._optim))
    steps = task.iterations * task.rollout_steps
    mark = times[1] if len(times) > 1 else end
    report(steps, *rates(steps, start, mark, end, task), mean_return(returns))


if __name__ == "__main__":
    contend(measure)
