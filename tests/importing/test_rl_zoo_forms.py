"""Wrappers of many environments, saved agents and the names of version 2 in RL Zoo's files."""

from collections import OrderedDict

import pytest
import yaml

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.importing.rl_zoo import convert

VEC = "stable_baselines3.common.vec_env"
KWARGS = "{norm_reward: false, clip_obs: 5}"


@pytest.mark.parametrize(
    ("wrapper", "expected", "comment"),
    [
        (f"{VEC}.VecNormalize", {"normalize": (True, True, 10.0)}, ""),
        (f"{{{VEC}.VecNormalize: {KWARGS}}}", {"normalize": (True, False, 5.0)}, ""),
        (f"[{{{VEC}.VecNormalize: {{norm_obs: false}}}}]", {"normalize": (False, True, 10.0)}, ""),
        (f"{{{VEC}.VecNormalize: {{epsilon: 1}}}}", {"normalize": (True, True, 10.0)}, "epsilon"),
        (f"[{{{VEC}.vec_frame_stack.VecFrameStack: {{n_stack: 3}}}}]", {"frame_stack": 3}, ""),
        (
            f"{{{VEC}.VecFrameStack: {{n_stack: 2, channels_order: first}}}}",
            {"frame_stack": 2},
            "channels_order",
        ),
        (f"{VEC}.VecMonitor", {}, "VecMonitor (it only records"),
        (f"{{{VEC}.VecMonitor: {{filename: x}}}}", {}, "filename: 'x'"),
        (f"[{VEC}.VecTransposeImage]", {}, "channels first in any case"),
        (f"[{VEC}.VecCheckNan]", {}, "it only checks"),
        (f"{{{VEC}.VecExtractDictObs: {{key: a}}}}", {}, "all environments together"),
        ("mine.vec.Odd", {}, "not carried over: the vec_env_wrapper mine.vec.Odd"),
        (
            f"[{VEC}.VecMonitor, {VEC}.VecNormalize, {{{VEC}.VecFrameStack: {{n_stack: 4}}}}]",
            {"normalize": (True, True, 10.0), "frame_stack": 4},
            "VecMonitor",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["vec_env_wrapper", "env_wrapper"])
def test_a_wrapper_of_all_environments_is_carried_or_told(
    imported, key, wrapper, expected, comment
):
    if key == "env_wrapper" and "mine" in wrapper:
        return
    text, spec = imported(f"CartPole-v1: {{n_timesteps: 1e5, {key}: {wrapper}}}")
    normalize = spec.env.normalize
    found = (normalize.observations, normalize.rewards, normalize.clip)
    assert found == expected.get("normalize", (False, False, 10.0))
    assert spec.env.frame_stack == expected.get("frame_stack", 1)
    assert spec.env.wrappers == []
    assert ("#" in text.partition("\n")[2]) == bool(comment)
    assert comment in text.replace("\n  # ", " ")


def test_what_stacks_or_scales_twice_does_not_vanish(imported):
    stack = f"vec_env_wrapper: {{{VEC}.VecFrameStack: {{n_stack: 2}}}}"
    with pytest.raises(SpecError, match="ppoc stacks once"):
        imported(f"CartPole-v1: {{n_timesteps: 1e5, {stack}, frame_stack: 4}}")
    text, spec = imported(
        f"CartPole-v1: {{n_timesteps: 1e5, normalize: true, vec_env_wrapper: {VEC}.VecNormalize}}"
    )
    assert spec.env.normalize.observations
    assert "# VecNormalize and `normalize` both scale there" in text


def test_arguments_of_normalisation_are_taken(imported):
    entry = "CartPole-v1: {{n_timesteps: 1e5, normalize: {}, normalize_kwargs: {}}}"
    for kwargs in ("{norm_obs: true, norm_reward: false}", '"dict(norm_reward=False)"'):
        normalize = imported(entry.format("true", kwargs))[1].env.normalize
        assert (normalize.observations, normalize.rewards) == (True, False)
    text, spec = imported(entry.format("{norm_obs: false}", "{norm_reward: false}"))
    assert (spec.env.normalize.observations, spec.env.normalize.rewards) == (False, True)
    assert "norm_reward: False (`normalize` has arguments" in text.replace("\n  # ", " ")
    text, spec = imported(entry.format("false", "{norm_obs: true}"))
    assert not spec.env.normalize.observations
    assert "# not carried over: normalize_kwargs: norm_obs: True (`normalize` is not on)" in text


def test_layers_of_no_network_are_told(imported):
    text, spec = imported(
        'CartPole-v1: {n_timesteps: 1e5, policy_kwargs: "dict(net_arch=dict(shared=[32], pi=[8]))"}'
    )
    assert (spec.networks.actor.layers, spec.networks.critic.layers) == ([8], [])
    assert "# not carried over: net_arch: shared: [32]" in text


def test_names_of_version_2_are_known(imported):
    text, spec = imported(
        """
LunarLander-v3:
  n_envs: 16
  n_timesteps: !!float 1e6
  policy: 'MlpPolicy'
  n_steps: 1024
  nminibatches: 32
  lam: 0.98
  gamma: 0.999
  noptepochs: 5
  cliprange: lin_0.1
  policy_kwargs: "dict(act_fun=tf.nn.relu, net_arch=[dict(pi=[32], vf=[16])])"
""",
        "ppo2.yml",
    )
    update, losses = spec.update, spec.losses
    assert (update.rollout_steps, update.minibatch_size, update.epochs) == (16384, 512, 5)
    assert spec.advantage.lambda_ == 0.98
    assert (losses.policy.epsilon, losses.policy.schedule) == (0.1, "linear")
    # Version 2's own: half the squared error, the larger of it and the clipped one.
    assert (losses.value.clip, losses.value.objective) == (0.1, "squared")
    assert (losses.value.coefficient, losses.entropy.beta) == (0.25, 0.01)
    assert (spec.optimizer.actor.lr, spec.networks.actor.activation) == (2.5e-4, "relu")
    assert "names of Stable-Baselines 2" in text
    assert "not carried over" not in text
    _, spec = imported(
        "CartPole-v1: {n_timesteps: 1e5, timesteps_per_batch: 512, max_kl: 0.02, vf_iters: 5}",
        "x.yml",
    )
    region = spec.optimizer.trust_region
    assert (region.kl_limit, region.cg_iterations, region.damping) == (0.02, 10, 0.01)
    assert (spec.update.rollout_steps, spec.update.epochs) == (512, 5)
    _, spec = imported(
        "CartPole-v1: {n_timesteps: 1e5, lr_schedule: linear, entcoeff: 0.1}", "a2c.yml"
    )
    assert (spec.optimizer.actor.schedule, spec.losses.entropy.beta) == ("linear", 0.1)
    assert spec.losses.value.coefficient == 0.25
    entry = "CartPole-v1: {{n_timesteps: 1e5, noptepochs: 3, {}}}"
    for keys, size, comment in (
        ("n_steps: !!float 1e2, nminibatches: 4", 25, ""),
        ("batch_size: 32", 32, ""),
        ("batch_size: 32, nminibatches: 8", 32, "nminibatches: 8 (beside batch_size)"),
        ("lr_schedule: middle_drop", 32, "lr_schedule: 'middle_drop'"),
    ):
        text, spec = imported(entry.format(keys), "ppo2.yml")
        assert spec.update.minibatch_size == size
        assert ("not carried over" in text) == bool(comment)
        assert comment in text


SETTINGS = {
    "batch_size": 32,
    "clip_range": "lin_0.2",
    "env_wrapper": [{"gymnasium.wrappers.TimeAwareObservation": {}}],
    "n_envs": 8,
    "n_steps": 32,
    "n_timesteps": 1e5,
    "normalize": True,
    "normalize_kwargs": {"norm_obs": True, "norm_reward": False},
    "policy": "MlpPolicy",
    "policy_kwargs": "dict(net_arch=[16])",
}
SCRIPT = {
    "algo": "ppo",
    "env": "CartPole-v1",
    "device": "auto",
    "env_kwargs": None,
    "gym_packages": [],
    "n_timesteps": -1,
    "seed": 1234,
    "trained_agent": "",
}


def saved_by_rl_zoo(folder, settings=SETTINGS, script=SCRIPT):
    """As `ExperimentManager._save_config` writes them."""
    for name, values in (("config.yml", settings), ("args.yml", script)):
        if values is not None:
            (folder / name).write_text(yaml.dump(OrderedDict(sorted(values.items()))))
    return folder / "config.yml"


def test_a_trained_agents_settings_are_read_as_data(tmp_path):
    path = saved_by_rl_zoo(tmp_path)
    assert path.read_text().startswith("!!python/object/apply:collections.OrderedDict")
    for given in (path, tmp_path / "args.yml"):
        (found,) = convert(given)
        assert found.problems == []
        spec = resolve_text(found.text, "x.yaml").spec
        assert (spec.env.id, spec.training.seed) == ("CartPole-v1", 1234)
        assert (spec.env.num_envs, spec.update.rollout_steps) == (8, 256)
        assert (spec.env.normalize.observations, spec.env.normalize.rewards) == (True, False)
        assert spec.env.wrappers == ["TimeAwareObservation"]
        assert spec.networks.actor.layers == [16]
        assert "not carried over" not in found.text
    script = {**SCRIPT, "n_timesteps": 5000, "env_kwargs": {"sutton_barto_reward": True}}
    script |= {"seed": 2**32 - 1, "trained_agent": "logs/x.zip"}
    saved_by_rl_zoo(tmp_path, script=script)
    (found,) = convert(path, env_id="Acrobot-v1")
    spec = resolve_text(found.text, "x.yaml").spec
    assert (spec.env.id, spec.training.total_steps) == ("Acrobot-v1", 5000)
    assert spec.env.options == {"sutton_barto_reward": True}
    assert "# not carried over: seed: 4294967295" in found.text
    assert "# it went on from another agent there, logs/x.zip" in found.text


def test_an_agent_whose_environment_nobody_says_is_refused(tmp_path):
    path = saved_by_rl_zoo(tmp_path, script=None)
    with pytest.raises(SpecError, match="does not name its environment"):
        list(convert(path))
    (found,) = convert(path, env_id="CartPole-v1")
    assert resolve_text(found.text, "x.yaml").spec.update.minibatch_size == 32
    path.unlink()
    saved_by_rl_zoo(tmp_path, settings=None)
    with pytest.raises(SpecError, match="arguments of RL Zoo's script"):
        list(convert(tmp_path / "args.yml"))
    saved_by_rl_zoo(tmp_path, script={**SCRIPT, "algo": "sac"})
    with pytest.raises(SpecError, match="of `sac`, which ppoc does not have"):
        list(convert(path))


def test_tags_of_python_make_no_object(tmp_path):
    path = tmp_path / "ppo.yml"
    path.write_text(
        "CartPole-v1:\n"
        "  n_timesteps: 1e5\n"
        "  policy_kwargs:\n"
        "    activation_fn: !!python/name:torch.nn.modules.activation.ReLU ''\n"
        "    net_arch: !!python/tuple [16, 8]\n"
    )
    (found,) = convert(path)
    spec = resolve_text(found.text, "x.yaml").spec
    assert (spec.networks.actor.activation, spec.networks.actor.layers) == ("relu", [16, 8])
    mark = tmp_path / "mark"
    for value in (
        f"!!python/object/apply:os.system ['touch {mark}']",
        f"!!python/object/new:os.system ['touch {mark}']",
        "!!python/object/apply:numpy._core.multiarray.scalar [1]",
        "!!python/object/apply:collections.OrderedDict [[1, 2]]",
        "!!python/module:os ''",
        "!other x",
    ):
        path.write_text(f"CartPole-v1:\n  n_timesteps: {value}\n")
        with pytest.raises(SpecError) as caught:
            list(convert(path))
        (diagnostic,) = caught.value.diagnostics
        assert (diagnostic.code, diagnostic.span.line) == ("E006", 2)
    assert not mark.exists()
