"""Entries as RL Zoo reads them, made into models by Stable-Baselines3: the same numbers."""

from collections import Counter

import pytest
from ruamel.yaml import YAML
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from torch import nn, optim

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.importing.rl_zoo import convert

ALGORITHMS = {"ppo": PPO, "a2c": A2C, "trpo": TRPO}
# The names that RL Zoo has in scope where it evaluates policy_kwargs.
SCOPE = {"nn": nn, "dict": dict, "optim": optim}
ENTRIES = {
    "ppo-tuned": (
        "ppo",
        """
        HalfCheetah-v5: {normalize: true, n_envs: 2, n_timesteps: !!float 1e6, n_steps: 512,
          batch_size: 64, gamma: 0.98, learning_rate: 2.0633e-05, ent_coef: 0.000401762,
          clip_range: 0.1, n_epochs: 20, gae_lambda: 0.92, max_grad_norm: 0.8, vf_coef: 0.58096,
          policy_kwargs: "dict(log_std_init=-2, ortho_init=False, activation_fn=nn.ReLU,
                               net_arch=dict(pi=[256, 128], vf=[64]))"}
        """,
    ),
    "ppo-gsde": (
        "ppo",
        """
        Pendulum-v1: {n_envs: 4, n_timesteps: 100000, n_steps: 1024, gamma: 0.9, use_sde: True,
          sde_sample_freq: 4, learning_rate: !!float 1e-3, policy_kwargs: "dict(net_arch=[32])"}
        """,
    ),
    "ppo-adamw": (
        "ppo",
        """
        CartPole-v1: {n_timesteps: 100000, policy_kwargs: "dict(optimizer_class=optim.AdamW,
          optimizer_kwargs=dict(weight_decay=0.1))"}
        """,
    ),
    "a2c": ("a2c", "CartPole-v1: {n_envs: 8, n_timesteps: 500000, ent_coef: 0.01}"),
    "a2c-adam": ("a2c", "Acrobot-v1: {n_timesteps: 500000, use_rms_prop: False, n_steps: 8}"),
    "trpo": (
        "trpo",
        """
        Pendulum-v1: {n_envs: 2, n_timesteps: 100000, n_steps: 512, batch_size: 512,
          cg_damping: !!float 1e-2, gae_lambda: 0.98, n_critic_updates: 20, target_kl: 0.04}
        """,
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_the_numbers_of_its_model(name, tmp_path):
    algorithm, text = ENTRIES[name]
    path = tmp_path / f"{algorithm}.yml"
    path.write_text(text)
    (found,) = convert(path)
    assert not found.problems
    plan = compile_spec(resolve_text(found.text, "spec.yaml")).plan
    spec, update = plan.spec, plan.spec.update

    ((env_id, entry),) = YAML(typ="safe", pure=True).load(text).items()
    num_envs, total = entry.pop("n_envs", 1), entry.pop("n_timesteps")
    entry.pop("normalize", None)
    kwargs = eval(entry.pop("policy_kwargs", "{}"), SCOPE)
    model = ALGORITHMS[algorithm]("MlpPolicy", env_id, policy_kwargs=kwargs, device="cpu", **entry)

    shapes = Counter(shape for _, shape in plan.networks.shapes())
    assert shapes == Counter(tuple(p.shape) for p in model.policy.parameters())
    assert (spec.env.num_envs, spec.training.total_steps) == (num_envs, total)
    assert update.rollout_steps == model.n_steps * num_envs
    advantage = spec.advantage
    assert (advantage.gamma, advantage.lambda_) == (model.gamma, model.gae_lambda)
    assert advantage.normalize == model.normalize_advantage
    ours, theirs = spec.optimizer.critic, model.policy.optimizer
    (group,) = theirs.param_groups
    assert ours.kind == type(theirs).__name__.lower()
    assert (ours.lr, ours.epsilon) == (group["lr"], group["eps"])
    if ours.kind in ("adamw", "rmsprop"):
        assert (ours.weight_decay, ours.decay) == (
            group["weight_decay"],
            group.get("alpha", ours.decay),
        )
    log_std = dict(model.policy.named_parameters()).get("log_std")
    if log_std is not None:
        assert spec.networks.actor.log_std_init == pytest.approx(log_std.flatten()[0].item())
        every = spec.networks.actor.resample_every or -1
        gsde = spec.networks.actor.std == "gsde"
        assert (gsde, every) == (model.use_sde, model.sde_sample_freq)
    if algorithm == "trpo":
        region = spec.optimizer.trust_region
        assert (region.kl_limit, region.damping) == (model.target_kl, model.cg_damping)
        assert (region.cg_iterations, region.backtracks) == (
            model.cg_max_steps,
            model.line_search_max_iter,
        )
        assert (update.epochs, update.minibatch_size) == (model.n_critic_updates, model.batch_size)
        return
    value, entropy = spec.losses.value.coefficient, spec.losses.entropy.beta
    assert (value, entropy) == (model.vf_coef, model.ent_coef)
    assert spec.optimizer.max_grad_norm == model.max_grad_norm
    if algorithm == "ppo":
        assert spec.losses.policy.epsilon == model.clip_range(1.0)
        assert (update.epochs, update.minibatch_size) == (model.n_epochs, model.batch_size)
