"""Specs of the zoo, compiled and imported, as they are and with every branch of the templates."""

import functools
import tempfile
from pathlib import Path
from types import ModuleType

from ppoc.compiler.output.build import Compiled, compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.run.launch import load_module

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "specs"


def zoo_names() -> list[str]:
    """Every agent of the zoo, such as ppo/cartpole."""
    paths = sorted(ZOO.glob("*/*.yaml"))
    others = ("presets", "rlhf", "experiments")
    return [f"{p.parent.name}/{p.stem}" for p in paths if p.parent.name not in others]


# Rollouts as tensors without compiling anything; tests run them on the CPU.
ON_DEVICE = ("training={device: cuda, compile: never}",)

# Between them, every branch of every template.
VARIANTS = {
    **{name: (name,) for name in zoo_names()},
    "shared-categorical": (
        "ppo/cartpole",
        "networks.critic={share: actor}",
        "losses.entropy={beta: 0.01, schedule: linear}",
        "update.target_kl=0.02",
        "evaluation={every: 1000, deterministic: false}",
        "networks.actor={activation: silu, init: default}",
    ),
    "shared-gaussian": (
        "ppo/halfcheetah",
        "networks.critic={share: actor}",
        "advantage.normalize=false",
        "optimizer.max_grad_norm=null",
    ),
    "split-rates": (
        "ppo/pendulum",
        "optimizer.critic={lr: 3e-3, schedule: linear, epsilon: 1e-8}",
        "env.normalize.rewards=true",
        "losses.entropy.beta=0.01",
        "update.target_kl=0.05",
        "losses.policy.schedule=linear",
        "training.total_steps=2_000_000",
    ),
    "own-formula": (
        "ppo/cartpole",
        "losses.policy={objective: 'max(min(ratio, 1 + ε) * A, 0.1 * log_prob * A) - c * abs(kl)', "
        "parameters: {c: 0.1}}",
        "update={sampling: episodes, minibatch_size: all}",
        "advantage.normalize=true",
    ),
    "long-formulas": (
        "ppo/cartpole",
        "losses.policy.objective='min(ratio, 1 + ε) * A * exp(-abs(log_prob - log_prob_old)) * "
        "(1 + exp(-2 * abs(log_prob - log_prob_old))) / (1 + kl ** 2)'",
        "losses.value={objective: 'min(abs(V - R), d) * (abs(V - R) - min(abs(V - R), d) / 2)', "
        "parameters: {d: 1.5}}",
    ),
    "buffer-gae": (
        "ppo/pendulum",
        "update={buffer: {rollouts: 3, clip: 2.0}}",
        "env.normalize={observations: true, rewards: true}",
        "optimizer.actor.schedule=linear",
    ),
    "episodes-trust-region": (
        "trpo/cartpole",
        "losses.policy.objective=score",
        "update.sampling=episodes",
        "optimizer.trust_region.backtracks=3",
    ),
    "scheduled-trust-region": (
        "trpo/cartpole",
        "losses.policy={objective: clip, schedule: linear}",
        "losses.entropy={beta: 0.01, schedule: linear}",
        "optimizer.critic.schedule=linear",
    ),
    "buffer-trust-region": ("trpo/cartpole", "update={buffer: {rollouts: 2}}"),
    "q-gaussian": (
        "q-actor-critic/cartpole",
        "env={id: Pendulum-v1, normalize: {observations: true}}",
        "advantage.baseline=mean",
        "losses.policy.objective=ratio",
        "update={buffer: {rollouts: 2, importance: ratio}}",
    ),
    "q-shared": (
        "q-actor-critic/cartpole",
        "env.id=Pendulum-v1",
        "networks.critic={share: actor}",
        "losses.value.clip=0.5",
    ),
    "q-episodes": (
        "q-actor-critic/cartpole",
        "update={sampling: episodes, buffer: {rollouts: 2}}",
        "advantage.baseline=mean",
        "networks.critic={share: actor}",
    ),
    "search-gaussian": (
        "cem/cartpole",
        "env={id: Pendulum-v1, normalize: {observations: true}}",
        "networks.actor={layers: [8, 8], activation: silu}",
        "evaluation.every=40_000",
    ),
    "device-categorical": (
        "ppo/cartpole",
        *ON_DEVICE,
        "update.target_kl=0.02",
        "evaluation={every: 256, deterministic: false}",
    ),
    "device-gaussian": (
        "ppo/pendulum",
        *ON_DEVICE,
        "env={normalize: {observations: true, rewards: true}, max_episode_steps: 100}",
        "networks.critic={share: actor}",
        "evaluation.every=256",
    ),
    "device-episodes": ("reinforce/cartpole", *ON_DEVICE, "env.normalize.rewards=true"),
    "device-trust-region": ("trpo/cartpole", *ON_DEVICE),
    "device-adaptive": ("ppo-kl-adaptive/cartpole", *ON_DEVICE),
    "device-q": ("q-actor-critic/cartpole", *ON_DEVICE, "env.id=Pendulum-v1"),
    "linear-networks": ("ppo/cartpole", "networks.actor.layers=[]", "networks.critic.layers=[]"),
    "gymnasium": (
        "ppo/cartpole",
        "env={backend: gymnasium, max_episode_steps: 100, options: {sutton_barto_reward: true}}",
        "losses.value.clip=0.2",
        "networks.critic={activation: elu, layers: [32]}",
    ),
    "long-constants": (
        "ppo/hopper",
        "env={backend: gymnasium, max_episode_steps: 300}",
        "env.options={forward_reward_weight: 1.0, ctrl_cost_weight: 0.001, healthy_reward: 1.0, "
        "terminate_when_unhealthy: true}",
    ),
}

MODULES = tempfile.TemporaryDirectory(prefix="ppoc-test-")  # removed when the tests are over


@functools.cache
def compile_zoo(name: str, *overrides: str) -> Compiled:
    """A spec of the zoo, compiled with overrides."""
    return compile_spec(resolve(ZOO / f"{name}.yaml", overrides))


@functools.cache
def zoo_module(name: str, *overrides: str) -> ModuleType:
    """A spec of the zoo, compiled with overrides and imported."""
    folder = Path(tempfile.mkdtemp(dir=MODULES.name))
    compile_zoo(name, *overrides).write(folder)
    return load_module(folder / "module.py")
