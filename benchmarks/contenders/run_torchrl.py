"""TorchRL's PPO: its collector, GAE, ClipPPOLoss and replay buffer, as in its own PPO examples.

The environments are a SerialEnv of GymWrappers, the fastest of TorchRL's kinds for steps this short
(the variable TORCHRL_ENV may name ParallelEnv). Its envpool wrapper, MultiThreadedEnv, needs the
unmaintained gym package and cannot read the spaces of a present-day EnvPool. TORCHRL_COMPILE=1
compiles policy and update with torch.compile, an option of the examples; it is off by default, for
on a CPU its gain is small beside its compile time, which falls in the first two iterations.
TensorBoard logs and ten checkpoints are written.

`critic_coeff` weighs mean((V - R)^2) without a half, `clip_value` is the value's clip; GAE is
computed once an iteration, not anew each epoch as in the examples. Actions are sampled from a
normal distribution and clipped by the environment. Truncated episodes are bootstrapped.

Not quite expressed: observations and rewards are normalized by VecNormV2, whose running moments
are of each reward as it comes, not of the discounted return, and which also centres the reward.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from task import Task, adam_steps, check, contend, mean_return, now, rates, report


def make_envs(task: Task) -> Any:
    import gymnasium
    from torchrl import envs as torchrl_envs
    from torchrl.envs import (
        ClipTransform,
        Compose,
        DoubleToFloat,
        GymWrapper,
        RewardSum,
        TransformedEnv,
        VecNormV2,
    )

    def one() -> Any:
        env = gymnasium.make(task.env_id)
        if isinstance(env.action_space, gymnasium.spaces.Box):
            env = gymnasium.wrappers.ClipAction(env)
        return GymWrapper(env, categorical_action_encoding=True)

    kind = os.environ.get("TORCHRL_ENV", "SerialEnv")
    base = getattr(torchrl_envs, kind)(task.num_envs, one)
    envs = TransformedEnv(base, Compose(RewardSum(), DoubleToFloat()))
    if task.normalize_observations:
        envs.append_transform(VecNormV2(in_keys=["observation"], decay=0.99999, eps=1e-2))
        envs.append_transform(ClipTransform(in_keys=["observation"], low=-10, high=10))
    if task.normalize_rewards:
        envs.append_transform(VecNormV2(in_keys=["reward"], decay=0.99999, eps=1e-2))
        envs.append_transform(ClipTransform(in_keys=["reward"], low=-10, high=10))
    envs.set_seed(task.seed)
    return envs


def make_networks(task: Task, envs: Any) -> tuple[Any, Any]:
    """Policy and value, apart, initialized as in TorchRL's examples."""
    import torch
    from tensordict.nn import AddStateIndependentNormalScale, TensorDictModule
    from torch.distributions import Categorical
    from torchrl.data import Categorical as CategoricalSpec
    from torchrl.modules import MLP, IndependentNormal, ProbabilisticActor, ValueOperator

    inputs = envs.observation_spec["observation"].shape[-1]
    spec = envs.action_spec_unbatched
    continuous = not isinstance(spec, CategoricalSpec)
    outputs = spec.shape[-1] if continuous else spec.space.n

    def mlp(out: int, gain: float) -> Any:
        activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[task.activation]
        net = MLP(inputs, out, num_cells=list(task.layers), activation_class=activation)
        for layer in net:
            if isinstance(layer, torch.nn.Linear):
                torch.nn.init.orthogonal_(layer.weight, gain)
                torch.nn.init.zeros_(layer.bias)
        return net

    net = mlp(outputs, 1.0)
    keys = ["loc", "scale"] if continuous else ["logits"]
    if continuous:
        net = torch.nn.Sequential(net, AddStateIndependentNormalScale(outputs, scale_lb=1e-8))
    actor = ProbabilisticActor(
        TensorDictModule(net, in_keys=["observation"], out_keys=keys),
        in_keys=keys,
        spec=envs.full_action_spec_unbatched,
        distribution_class=IndependentNormal if continuous else Categorical,
        return_log_prob=True,
    )
    return actor, ValueOperator(mlp(1, 0.01), in_keys=["observation"])


def measure(task: Task) -> None:
    import torch
    from torch.utils.tensorboard import SummaryWriter
    from torchrl.collectors import Collector
    from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer
    from torchrl.data.replay_buffers import SamplerWithoutReplacement
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value import GAE

    torch.manual_seed(task.seed)
    compiled = os.environ.get("TORCHRL_COMPILE", "0") != "0"
    envs = make_envs(task)
    actor, critic = make_networks(task, envs)
    start = now()
    collector = Collector(
        envs,
        actor,
        frames_per_batch=task.rollout_steps,
        total_frames=task.iterations * task.rollout_steps,
        device="cpu",
        compile_policy={} if compiled else False,
    )
    buffer = TensorDictReplayBuffer(
        storage=LazyTensorStorage(task.rollout_steps),
        sampler=SamplerWithoutReplacement(),
        batch_size=task.minibatch_size,
    )
    advantages = GAE(gamma=task.gamma, lmbda=task.lam, value_network=critic)
    losses = ClipPPOLoss(
        actor,
        critic,
        clip_epsilon=task.clip_range,
        clip_value=task.value_clip if task.value_clip is not None else False,
        loss_critic_type="l2",
        critic_coeff=task.value_coefficient,
        entropy_bonus=task.entropy_beta > 0,
        entropy_coeff=task.entropy_beta,
        normalize_advantage=True,
    )
    parameters = [*actor.parameters(), *critic.parameters()]
    rate = torch.tensor(task.lr) if compiled else task.lr  # a tensor does not recompile
    optimizer = torch.optim.Adam(parameters, lr=rate, eps=task.adam_epsilon)

    def update(batch: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = losses(batch)
        total = loss["loss_objective"] + loss["loss_critic"]
        if task.entropy_beta > 0:
            total = total + loss["loss_entropy"]
        total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, task.max_grad_norm)
        optimizer.step()
        return loss.detach()

    step = torch.compile(update) if compiled else update
    folder = Path(tempfile.mkdtemp())
    writer = SummaryWriter(str(folder))
    returns: list[float] = []
    marks: list[float] = []
    every = max(1, task.iterations // 10)
    for iteration, data in enumerate(collector):
        left = 1 - iteration / task.iterations
        if task.lr_schedule == "linear":
            for group in optimizer.param_groups:
                if compiled:
                    group["lr"].fill_(task.lr * left)
                else:
                    group["lr"] = task.lr * left
        if task.clip_schedule == "linear":
            losses.clip_epsilon.fill_(task.clip_range * left)
        ended = data["next", "episode_reward"][data["next", "done"]].tolist()
        returns.extend(ended)
        with torch.no_grad():
            data = advantages(data)
        buffer.empty()
        buffer.extend(data.reshape(-1))
        for _ in range(task.epochs):
            for batch in buffer:
                loss = step(batch)
        frames = (iteration + 1) * task.rollout_steps
        if ended:
            writer.add_scalar("episode_return", mean_return(ended), frames)
        for name in ("loss_objective", "loss_critic"):
            writer.add_scalar(name, loss[name].item(), frames)
        if (iteration + 1) % every == 0:
            torch.save(losses.state_dict(), folder / f"{frames}.pt")
        collector.update_policy_weights_()
        marks.append(now())
    collector.shutdown()
    check(task.iterations, len(marks), "iterations")
    check(task.gradient_steps, adam_steps(optimizer))
    steps = task.iterations * task.rollout_steps
    report(steps, *rates(steps, start, marks[0], marks[-1], task), mean_return(returns))


if __name__ == "__main__":
    contend(measure)
