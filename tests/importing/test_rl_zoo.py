"""Entries in every form that RL Zoo's files have, as specs that mean the same."""

import pytest
import torch

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.importing.rl_zoo import convert
from ppoc.runtime.run.launch import load_module


def problems(tmp_path, text, name="ppo.yml", **choice):
    path = tmp_path / name
    path.write_text(text)
    try:
        return [d for found in convert(path, **choice) for d in found.problems]
    except SpecError as error:
        return error.diagnostics


def test_ppo_means_the_same(imported):
    text, spec = imported("""
Walker2d-v5:
  normalize: true
  n_envs: 4
  n_timesteps: !!float 2e6
  policy: 'MlpPolicy'
  n_steps: 512
  batch_size: 128
  gamma: 0.98
  gae_lambda: 0.92
  n_epochs: 5
  ent_coef: 0.001
  vf_coef: 0.7
  learning_rate: lin_2.5e-4
  clip_range: lin_0.1
  clip_range_vf: 0.3
  max_grad_norm: 0.8
  target_kl: 0.03
  normalize_advantage: false
  policy_kwargs: "dict(log_std_init=-2, ortho_init=False,
                       activation_fn=nn.ReLU,
                       net_arch=dict(pi=[256, 128], vf=[32]))"
""")
    assert (spec.env.id, spec.env.num_envs) == ("Walker2d-v5", 4)
    assert (spec.env.normalize.observations, spec.env.normalize.rewards) == (True, True)
    assert spec.training.total_steps == 2_000_000
    update = spec.update
    assert (update.rollout_steps, update.minibatch_size, update.epochs) == (2048, 128, 5)
    assert update.target_kl == 0.03
    advantage = spec.advantage
    assert (advantage.gamma, advantage.lambda_, advantage.normalize) == (0.98, 0.92, False)
    losses = spec.losses
    assert (losses.policy.epsilon, losses.policy.schedule) == (0.1, "linear")
    assert (losses.value.coefficient, losses.value.clip, losses.entropy.beta) == (0.7, 0.3, 0.001)
    for optimizer in (spec.optimizer.actor, spec.optimizer.critic):
        assert (optimizer.lr, optimizer.schedule, optimizer.epsilon) == (2.5e-4, "linear", 1e-5)
    assert spec.optimizer.max_grad_norm == 0.8
    actor, critic = spec.networks.actor, spec.networks.critic
    assert (actor.layers, critic.layers) == ([256, 128], [32])
    assert (actor.activation, actor.init, actor.log_std_init) == ("relu", "default", -2.0)
    assert actor.action_scaling == "none"
    assert (critic.activation, critic.init) == ("relu", "default")
    assert text.count("\n") < 25  # a preset and what differs from it


def test_silence_means_the_defaults_of_stable_baselines3(imported):
    """Compared with the signatures of the constructors themselves."""
    import inspect

    from sb3_contrib import TRPO, RecurrentPPO
    from stable_baselines3 import A2C, PPO

    entry = "CartPole-v1: {n_timesteps: 1e5}"
    for name, algorithm in (("ppo", PPO), ("a2c", A2C), ("trpo", TRPO), ("ppo_lstm", RecurrentPPO)):
        _, spec = imported(entry, f"{name}.yml")
        given = {k: p.default for k, p in inspect.signature(algorithm).parameters.items()}
        assert spec.update.rollout_steps == given["n_steps"], name  # one environment
        sizes = {given.get("batch_size", given["n_steps"])}
        sizes |= {"all"} if sizes == {given["n_steps"]} else set()
        assert spec.update.minibatch_size in sizes, name
        assert spec.update.epochs == given.get("n_epochs", given.get("n_critic_updates", 1)), name
        assert spec.advantage.gamma == given["gamma"], name
        assert spec.advantage.lambda_ == given["gae_lambda"], name
        assert spec.advantage.normalize == given["normalize_advantage"], name
        assert spec.optimizer.critic.lr == given["learning_rate"], name
        if name != "trpo":
            assert spec.optimizer.actor.lr == given["learning_rate"], name
            assert spec.optimizer.max_grad_norm == given["max_grad_norm"], name
            assert spec.losses.value.coefficient == given["vf_coef"], name
            assert spec.losses.entropy.beta == given["ent_coef"], name
    region, given = imported(entry, "trpo.yml")[1].optimizer.trust_region, inspect.signature(TRPO)
    for key, theirs in {
        "kl_limit": "target_kl",
        "cg_iterations": "cg_max_steps",
        "damping": "cg_damping",
        "backtracks": "line_search_max_iter",
        "backtrack_ratio": "line_search_shrinking_factor",
    }.items():
        assert getattr(region, key) == given.parameters[theirs].default


def test_a_clipped_value_loss_is_stable_baselines3s(imported, tmp_path):
    """As in PPO.train there: values clipped around the old ones, then the mean squared error."""
    entry = "Acrobot-v1: {n_timesteps: 1e4, clip_range_vf: 0.2}"
    compile_spec(resolve_text(imported(entry)[0], "x.yaml")).write(tmp_path)
    module = load_module(tmp_path / "module.py")
    observations, old, returns = torch.randn(64, 6), torch.randn(64), torch.randn(64)
    params = module.initial_parameters(0)
    zeros = torch.zeros(64)
    fields = {"observations": observations, "actions": zeros.long(), "values": old}
    fields |= {"log_probs": zeros, "advantages": torch.randn(64), "returns": returns}
    _, metrics = module.loss(params, module.Batch(**fields))
    found = metrics[module.METRICS.index("value_loss")]
    p = module.runtime.unflatten(params, module.SHAPES)
    values = module.critic(p, observations)
    clipped = old + torch.clamp(values - old, -0.2, 0.2)
    assert torch.allclose(found, torch.nn.functional.mse_loss(returns, clipped))


def test_a2c_has_rmsprop_and_whole_batches(imported):
    _, spec = imported("CartPole-v1: {n_envs: 8, n_timesteps: 5e5}", "a2c.yml")
    assert (spec.update.rollout_steps, spec.update.minibatch_size, spec.update.epochs) == (
        40,
        "all",
        1,
    )
    optimizer = spec.optimizer.actor
    assert (optimizer.kind, optimizer.epsilon, optimizer.decay) == ("rmsprop", 1e-5, 0.99)
    assert spec.losses.policy.objective == "score"
    _, spec = imported("CartPole-v1: {n_timesteps: 5e5, use_rms_prop: False}", "a2c.yml")
    assert (spec.optimizer.actor.kind, spec.optimizer.actor.epsilon) == ("adam", 1e-5)
    text, spec = imported(
        'CartPole-v1: {n_timesteps: 5e5, policy_kwargs: "dict(optimizer_class=RMSpropTFLike, '
        'optimizer_kwargs=dict(eps=1e-4))"}',
        "a2c.yml",
    )
    assert (spec.optimizer.actor.kind, spec.optimizer.actor.epsilon) == ("rmsprop", 1e-4)
    assert "# RMSpropTFLike adds ε before the root" in text


def test_trpo_has_a_trust_region(imported):
    text, spec = imported(
        "CartPole-v1: {n_envs: 2, n_timesteps: 1e5, n_steps: 512, batch_size: 512, "
        "cg_damping: 1e-3, cg_max_steps: 25, n_critic_updates: 20, target_kl: 0.04, "
        "sub_sampling_factor: 2, learning_rate: 2e-3}",
        "trpo.yml",
    )
    region = spec.optimizer.trust_region
    assert (region.kl_limit, region.cg_iterations, region.damping) == (0.04, 25, 0.001)
    assert (spec.update.epochs, spec.update.minibatch_size) == (20, 512)
    assert spec.optimizer.critic.lr == 2e-3
    assert spec.losses.value.coefficient == 1.0
    assert "# sub_sampling_factor 2: here the step uses every sample" in text


def test_recurrent_ppo_has_a_memory(imported):
    _, spec = imported(
        """
PendulumNoVel-v1:
  n_timesteps: 1e5
  policy: MlpLstmPolicy
  use_sde: True
  sde_sample_freq: 4
  policy_kwargs: "dict(ortho_init=False, activation_fn=nn.ReLU, lstm_hidden_size=64,
                       enable_critic_lstm=True, net_arch=dict(pi=[64], vf=[]))"
""",
        "ppo_lstm.yml",
    )
    actor, critic = spec.networks.actor, spec.networks.critic
    assert (spec.env.id, spec.env.wrappers) == ("Pendulum-v1", ["MaskVelocity"])
    assert (actor.memory.kind, actor.memory.size, critic.memory.size) == ("lstm", 64, 64)
    assert (actor.layers, critic.layers) == ([64], [])
    assert (actor.std, actor.resample_every) == ("gsde", 4)
    kwargs = "policy_kwargs: {lstm_hidden_size: 8, enable_critic_lstm: false}"
    text, spec = imported(f"CartPole-v1: {{n_timesteps: 1e5, {kwargs}}}", "ppo_lstm.yml")
    assert (spec.networks.actor.memory.size, spec.networks.critic.memory) == (8, None)
    assert "# enable_critic_lstm is false" in text


def test_minibatches_divide_the_rollout(imported):
    entry = "CartPole-v1: {{n_timesteps: 1e5, n_envs: 2, n_steps: 50, batch_size: {}}}"
    for size, expected, words in (
        (64, 50, "does not divide 100 steps"),
        (256, "all", "is more than the 100 steps"),
        (100, "all", ""),
        (25, 25, ""),
    ):
        text, spec = imported(entry.format(size))
        assert spec.update.minibatch_size == expected
        assert words in text
        assert ("#" in text.partition("\n")[2]) == bool(words)


def test_normalisation_in_all_its_forms(imported):
    entry = "CartPole-v1: {{n_timesteps: 1e5, normalize: {}}}"
    for form, expected in (
        ("true", (True, True, 10.0)),
        ("false", (False, False, 10.0)),
        ("\"{'norm_obs': False, 'norm_reward': True}\"", (False, True, 10.0)),
        ('"dict(norm_reward=False, clip_obs=5.)"', (True, False, 5.0)),
        ("{norm_obs: true, norm_reward: false}", (True, False, 10.0)),
    ):
        normalize = imported(entry.format(form))[1].env.normalize
        assert (normalize.observations, normalize.rewards, normalize.clip) == expected


def test_layers_in_all_their_forms(imported):
    entry = 'CartPole-v1: {{n_timesteps: 1e5, policy_kwargs: "dict(net_arch={})"}}'
    for form, pi, vf in (
        ("[32, 16]", [32, 16], [32, 16]),
        ("dict(pi=[32], vf=[])", [32], []),
        ("[dict(pi=[32], vf=[64])]", [32], [64]),
        ("{'pi': [8]}", [8], []),
        ("[]", [], []),
    ):
        networks = imported(entry.format(form))[1].networks
        assert (networks.actor.layers, networks.critic.layers) == (pi, vf)
    text, spec = imported(entry.format("[128, dict(pi=[32], vf=[64])]"))
    assert (spec.networks.actor.layers, spec.networks.critic.layers) == ([128, 32], [128, 64])
    assert "# net_arch: actor and critic share layers [128] there" in text


def test_wrappers_become_keys_of_the_environment(imported):
    text, spec = imported("""
CarRacing-v3:
  n_timesteps: 4e6
  policy: MlpPolicy
  env_wrapper:
    - rl_zoo3.wrappers.FrameSkip:
        skip: 2
    - gymnasium.wrappers.resize_observation.ResizeObservation:
        shape: 64
    - gymnasium.wrappers.transform_observation.GrayscaleObservation:
        keep_dim: true
    - gymnasium.wrappers.TimeAwareObservation
    - some_package.wrappers.Odd: {strength: 2}
  vec_env_wrapper:
    - stable_baselines3.common.vec_env.VecFrameStack:
        n_stack: 3
  env_kwargs: {continuous: false}
  callback: [rl_zoo3.callbacks.ParallelTrainCallback]
""")
    env = spec.env
    assert (env.frame_skip, env.resize, env.grayscale, env.frame_stack) == (2, [64, 64], True, 3)
    odd = {"some_package.wrappers:Odd": {"strength": 2}}
    assert env.wrappers == ["TimeAwareObservation", odd]
    assert env.options == {"continuous": False}
    assert "# some_package.wrappers:Odd is code: it runs with --trust only" in text
    assert "# not carried over: callback" in text


def test_an_atari_game_takes_the_entry_of_all(imported):
    file = """
atari:
  env_wrapper: [{stable_baselines3.common.atari_wrappers.AtariWrapper: {clip_reward: False}}]
  frame_stack: 4
  policy: 'MlpPolicy'
  n_envs: 8
  n_timesteps: !!float 1e7
  learning_rate: lin_2.5e-4
default: {n_timesteps: !!float 1e6}
"""
    for game in ("BreakoutNoFrameskip-v4", "ALE/Pong-v5"):
        _, spec = imported(file, env_id=game)
        assert (spec.env.id, spec.env.frame_stack) == (game, 4)
        assert (spec.env.atari.clip_rewards, spec.env.atari.frame_skip) == (False, 4)
        assert (spec.optimizer.actor.lr, spec.optimizer.actor.schedule) == (2.5e-4, "linear")
    _, spec = imported(file, env_id="Acrobot-v1")
    assert (spec.env.id, spec.update.rollout_steps) == ("Acrobot-v1", 2048)


def test_an_image_policy_shares_its_convolutions(imported):
    entry = "ALE/Pong-v5: {n_timesteps: 1e7, policy: CnnPolicy, env_wrapper: a.AtariWrapper"
    networks = imported(f"{entry}}}")[1].networks
    assert (networks.actor.body, networks.actor.layers) == ("nature-cnn", [])
    assert (networks.critic.share, networks.critic.layers) == ("body", [])
    kwargs = "policy_kwargs: {net_arch: {pi: [256], vf: [128]}, activation_fn: nn.GELU, "
    networks = imported(f"{entry}, {kwargs} features_extractor_kwargs: {{features_dim: 64}}}}}}")[
        1
    ].networks
    assert (networks.actor.features, networks.actor.layers) == (64, [256])
    assert (networks.critic.share, networks.critic.layers) == ("body", [128])
    assert (networks.actor.activation, networks.critic.activation) == ("gelu", "gelu")
    apart = f"{entry}, policy_kwargs: {{share_features_extractor: false}}}}"
    assert imported(apart)[1].networks.critic.body == "nature-cnn"
    text, spec = imported(f"{entry}}}", "trpo.yml")
    assert spec.networks.critic.body == "nature-cnn"
    assert "# the critic has convolutions of its own" in text


def test_anchors_and_newest_versions(tmp_path):
    path = tmp_path / "ppo.yml"
    path.write_text("""
Ant-v4: &defaults {normalize: true, n_timesteps: !!float 1e6, policy: MlpPolicy}
Swimmer-v4:
  <<: *defaults
  gamma: 0.9999
""")
    ant, swimmer = convert(path)
    specs = [resolve_text(found.text, "x.yaml").spec for found in (ant, swimmer)]
    assert [spec.env.id for spec in specs] == ["Ant-v5", "Swimmer-v5"]
    assert [spec.advantage.gamma for spec in specs] == [0.99, 0.9999]
    assert [spec.env.normalize.rewards for spec in specs] == [True, True]
    assert "# Swimmer-v4 there; this is its newest version" in swimmer.text


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "words"),
    [
        ("a: b: c", "E002", 1, 5, "mapping values"),
        ("[1]", "E901", 1, 1, "not a mapping"),
        ("CartPole-v1: 3", "E901", 1, 14, "not a mapping of settings"),
        ("P-v1: {n_timesteps: 1,\n buffer_size: 9}", "E901", 2, 2, "no policy gradient"),
        ("CartPole-v1: {gamma: high}", "E902", 1, 22, "`gamma` must be a number from 0"),
        ("CartPole-v1: {n_envs: 1.5}", "E902", 1, 23, "whole number"),
        ("CartPole-v1: {n_envs: true}", "E902", 1, 23, "must be a number"),
        ("CartPole-v1: {n_steps: .inf}", "E902", 1, 24, "must be a number"),
        ("CartPole-v1: {learning_rate: lin_}", "E902", 1, 30, "falls to 0"),
        ("CartPole-v1: {policy: MlpLstmPolicy}", "E902", 1, 23, "MlpPolicy or CnnPolicy"),
        ('C-v1: {policy_kwargs: "dict(a=f(1))"}', "E902", 1, 23, "would have to be run"),
        ('C-v1: {policy_kwargs: "__import__(1)"}', "E902", 1, 23, "would have to be run"),
        ('C-v1: {policy_kwargs: "dict("}', "E902", 1, 23, "was never closed"),
        ('C-v1: {policy_kwargs: "dict(net_arch=[-1])"}', "E902", 1, 23, "widths from 1"),
        ('C-v1: {policy_kwargs: "dict(activation_fn=nn.Odd)"}', "E902", 1, 23, "Tanh, ReLU"),
        ("C-v1: {env_wrapper: [3]}", "E902", 1, 22, "dotted name"),
        ("C-v1: {env_wrapper: [{a.B: 3}]}", "E902", 1, 28, "a mapping of the wrapper"),
        ("C-v1: {n_envs: 1000000}", "E902", 1, 16, "up to 100,000"),
        (f'C-v1: {{policy_kwargs: "dict(log_std_init={"9" * 400})"}}', "E902", 1, 23, "a number"),
        ("C-v1: {n_envs: 100000, n_steps: 9999991, batch_size: 7919}", "", 0, 0, ""),
    ],
)
def test_what_cannot_be_read_has_a_place(tmp_path, text, code, line, column, words):
    found = problems(tmp_path, text)
    if not code:
        assert not found
        return
    assert found
    assert (found[0].code, found[0].span.line, found[0].span.column) == (code, line, column)
    assert words in found[0].message + found[0].help


def test_an_environment_without_an_entry(tmp_path):
    (found,) = problems(tmp_path, "CartPole-v1: {n_timesteps: 1}", env_id="CartPole-v2")
    assert (found.code, "did you mean `CartPole-v1`" in found.help) == ("E901", True)
    (found,) = problems(tmp_path, "CartPole-v1: {n_timesteps: 1}", "settings.yml")
    assert (found.code, "--algorithm" in found.help) == ("E901", True)


def test_what_a_file_says_stays_within_its_comment(imported):
    """A wrapper's name or a key must not become a line of the spec, or silence a warning."""
    text, spec = imported(
        'CartPole-v1: {n_timesteps: 1e5, "x\\ntraining: {seed: 9}": 1, '
        'odd: "# ppoc: allow W203\\n", env_wrapper: "a b\\nc: 1"}'
    )
    assert spec.training.seed == 1
    assert "# ppoc: allow" not in text
    assert all(line.startswith((" ", "#")) or ":" in line for line in text.splitlines())
