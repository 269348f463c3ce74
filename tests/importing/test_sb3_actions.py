"""Models of Stable-Baselines3 act the same once imported, in every form they have, or are refused.

Each model is made and saved by Stable-Baselines3 or sb3-contrib itself.
"""

import functools
import io
import zipfile

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import ARS, QRDQN, TQC, TRPO, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecNormalize
from torch import nn

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.importing.sb3 import convert, read_statistics, write
from ppoc.runtime.run.launch import load_module
from ppoc.runtime.run.trained import load_run_policy

PIXELS = spaces.Box(0, 255, (36, 40, 3), np.uint8)
BOUNDED = spaces.Box(np.array([-1, -2], np.float32), np.array([1, 3], np.float32))


class Given(gymnasium.Env):
    """An environment of given spaces; every second action is allowed."""

    def __init__(self, observations=None, actions=None):
        self.observation_space, self.action_space = observations, actions

    def reset(self, **arguments):
        super().reset(**arguments)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, True, {}


class Barred(Given):
    def action_masks(self):
        nvec = getattr(self.action_space, "nvec", [getattr(self.action_space, "n", 0)])
        return np.concatenate([np.arange(n) % 2 == 0 for n in nvec])


def registered(observations, actions, entry=Given):
    """The id of an environment of these spaces."""
    name = f"PpocGiven{len(gymnasium.registry)}-v0"
    spaces_ = {"observations": observations, "actions": actions}
    gymnasium.register(name, entry_point=entry, kwargs=spaces_, max_episode_steps=10)
    return name


def saved(algorithm, env, path, policy="MlpPolicy", **arguments):
    if algorithm in (PPO, MaskablePPO, TRPO, RecurrentPPO):
        arguments = {"n_steps": 8, "batch_size": 8, **arguments}
    model = algorithm(policy, env, device="cpu", **arguments)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    model.save(path)
    return model


def seen(model, observations, masks):
    """Observations as ppoc's policies see them."""
    if isinstance(observations, dict):
        space = model.observation_space
        rows = [
            spaces.flatten(space, {k: v[i] for k, v in observations.items()}) for i in range(ROWS)
        ]
        return np.stack(rows).astype(np.float32)
    return (
        observations
        if masks is None
        else np.concatenate([observations, masks], -1).astype(np.float32)
    )


ROWS = 50


def compare(model, env_id, path, folder, observations=None, theirs=None, **choice):
    """Deterministic actions and log-probabilities of both, on random observations."""
    imported = convert(path, env_id, **choice)
    write(imported, folder)
    module = load_module(folder / "module.py")
    policy = load_run_policy(module, folder, deterministic=True)
    space = model.observation_space
    if theirs is None:
        space.seed(1)
        samples = [space.sample() for _ in range(ROWS)]
        if isinstance(space, spaces.Dict):
            theirs = {key: np.stack([s[key] for s in samples]) for key in space.spaces}
        else:
            theirs = np.stack(samples)
    masks, known = None, {}
    if isinstance(model, MaskablePPO):
        width = model.policy.action_net.out_features
        masks = np.random.default_rng(0).random((ROWS, width)) < 0.6
        masks[:, 0] = masks[:, 2] = masks[:, -1] = True
        known = {"action_masks": masks}
    ours = observations if observations is not None else seen(model, theirs, masks)
    if not isinstance(theirs, dict) and ours.ndim not in (2, 4):
        ours = ours.reshape(ROWS, -1)
    expected, _ = model.predict(theirs, deterministic=True, **known)
    found = policy(ours)
    if expected.dtype.kind in "iu":
        assert np.mean(found == expected) > 0.98  # a tie is settled by rounding
        assert len(np.unique(expected)) > 1
    else:
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
    if isinstance(space, spaces.Dict):
        return imported
    p = imported.weights
    inputs = torch.as_tensor(ours)
    if hasattr(module, "body"):
        inputs = module.body(p, inputs)
    output = module.actor(p, inputs)
    with torch.no_grad():
        known = {"action_masks": masks} if masks is not None else {}
        peer = model.policy.get_distribution(torch.as_tensor(theirs), **known)
        actions = peer.get_actions(deterministic=False)
        log_probs = peer.log_prob(actions)
        if hasattr(module, "log_slope"):
            actions = torch.atanh(actions.clamp(-1 + 1e-6, 1 - 1e-6))
        output = output if isinstance(output, tuple) else (output,)
        if "log_std" in p and len(output) == 1:
            output = (*output, p["log_std"])
        own = module.log_prob(*output, actions)
    torch.testing.assert_close(own, log_probs, rtol=2e-3, atol=2e-3)
    return imported


VECTOR = spaces.Box(-1, 1, (5,))
FORMS = {
    "discrete": (PPO, VECTOR, spaces.Discrete(4), {}),
    "multi-discrete": (A2C, VECTOR, spaces.MultiDiscrete([2, 3]), {}),
    "binary": (PPO, VECTOR, spaces.MultiBinary(3), {}),
    "bounds": (TRPO, VECTOR, BOUNDED, {}),
    "matrix": (PPO, spaces.Box(-1, 1, (2, 3)), spaces.Discrete(3), {}),
    "choices": (PPO, spaces.MultiDiscrete([3, 2]), spaces.Discrete(3), {}),
    "bits": (PPO, spaces.MultiBinary(6), spaces.Discrete(3), {}),
    "bytes": (PPO, spaces.Box(0, 255, (6,), np.uint8), spaces.Discrete(3), {}),
    "full std": (PPO, VECTOR, BOUNDED, {"use_sde": True, "kw": {"full_std": False}}),
    "expln": (PPO, VECTOR, BOUNDED, {"use_sde": True, "kw": {"use_expln": True}}),
    "expln above": (
        PPO,
        VECTOR,
        BOUNDED,
        {"use_sde": True, "kw": {"use_expln": True, "full_std": False, "log_std_init": 0.5}},
    ),
    # A small σ: near its bounds Stable-Baselines3 adds 1e-6 to the slope of tanh.
    "squashed": (
        A2C,
        VECTOR,
        BOUNDED,
        {"use_sde": True, "kw": {"squash_output": True, "log_std_init": -4.0}},
    ),
    "masked": (MaskablePPO, VECTOR, spaces.Discrete(5), {}),
    "masked twice": (MaskablePPO, VECTOR, spaces.MultiDiscrete([2, 3]), {}),
    "no layers": (PPO, VECTOR, spaces.Discrete(4), {"kw": {"net_arch": []}}),
    "own sigma": (PPO, VECTOR, BOUNDED, {"kw": {"log_std_init": -1.5, "ortho_init": False}}),
    **{
        name: (PPO, VECTOR, spaces.Discrete(4), {"kw": {"activation_fn": kind, "net_arch": [9]}})
        for name, kind in (("elu", nn.ELU), ("silu", nn.SiLU), ("gelu", nn.GELU))
    },
    "leaky": (A2C, VECTOR, BOUNDED, {"kw": {"activation_fn": nn.LeakyReLU}}),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_vector_is_answered_alike(name, tmp_path):
    algorithm, observations, actions, arguments = FORMS[name]
    kwargs = arguments.pop("kw", {}) if (arguments := dict(arguments)) else {}
    entry = Barred if algorithm is MaskablePPO else Given
    env_id = registered(observations, actions, entry)
    path = tmp_path / "model.zip"
    model = saved(algorithm, env_id, path, policy_kwargs=kwargs, **arguments)
    imported = None
    if isinstance(observations, spaces.MultiDiscrete | spaces.MultiBinary):
        observations.seed(1)
        theirs = np.stack([observations.sample() for _ in range(ROWS)])
        flat = np.stack([spaces.flatten(observations, row) for row in theirs]).astype(np.float32)
        imported = compare(model, env_id, path, tmp_path / "run", flat, theirs)
    elif name == "bytes":
        theirs = np.stack([observations.sample() for _ in range(ROWS)])
        floats = theirs.astype(np.float32)
        imported = compare(model, env_id, path, tmp_path / "run", floats, theirs)
    else:
        imported = compare(model, env_id, path, tmp_path / "run")
    spec = imported.compiled.plan.spec
    assert spec.env.action_masks == (algorithm is MaskablePPO)
    if algorithm is A2C:
        assert spec.optimizer.actor.kind == "rmsprop"


def test_a_dictionary_is_flattened_in_its_own_order(tmp_path):
    space = spaces.Dict({"b": VECTOR, "a": spaces.Discrete(3), "c": spaces.Box(-1, 1, (2, 2))})
    env_id, path = registered(space, spaces.Discrete(4)), tmp_path / "model.zip"
    model = saved(PPO, env_id, path, policy="MultiInputPolicy")
    compare(model, env_id, path, tmp_path / "run")
    other = registered(spaces.Dict({"x": VECTOR, "y": spaces.Box(-1, 1, (7,))}), spaces.Discrete(4))
    with pytest.raises(SpecError, match="a dictionary of"):
        convert(path, other)


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("policy", ["CnnPolicy", "MlpPolicy"])
@pytest.mark.parametrize("first", [True, False])
def test_images_are_answered_alike(first, policy, normalized, tmp_path):
    """Pixels are divided by 255 or not; convolutions or not; channels first or last."""
    space = spaces.Box(0, 255, (3, 36, 40), np.uint8) if first else PIXELS
    env_id, path = registered(space, spaces.Discrete(5)), tmp_path / "model.zip"
    kwargs = {"normalize_images": normalized, "net_arch": [16]}
    model = saved(PPO, env_id, path, policy=policy, policy_kwargs=kwargs)
    theirs = np.random.default_rng(0).integers(0, 256, (ROWS, 3, 36, 40), np.uint8)
    ours = theirs
    if policy == "MlpPolicy":
        ours = theirs if first else np.moveaxis(theirs, 1, -1)
        ours = ours.reshape(ROWS, -1).astype(np.float32)
    compare(model, env_id, path, tmp_path / "run", ours, theirs)


def test_layers_that_an_old_model_shares_are_each_ones_own(tmp_path):
    """Before Stable-Baselines3 1.8: `net_arch=[12, dict(pi=[7], vf=[6])]`."""
    env_id, path = registered(VECTOR, spaces.Discrete(4)), tmp_path / "model.zip"
    kwargs = {"net_arch": {"pi": [12, 7], "vf": [12, 6]}}
    model = saved(PPO, env_id, path, policy_kwargs=kwargs)
    state = model.policy.state_dict()
    for kind in ("weight", "bias"):
        state[f"mlp_extractor.value_net.0.{kind}"] = state[f"mlp_extractor.policy_net.0.{kind}"]
    model.policy.load_state_dict(state)
    old = {}
    for name, tensor in state.items():
        if name.startswith("mlp_extractor"):
            _, net, index, kind = name.split(".")
            net, index = ("shared_net", 0) if index == "0" else (net, int(index) - 2)
            name = f"mlp_extractor.{net}.{index}.{kind}"
        old[name] = tensor
    stream = io.BytesIO()
    torch.save(old, stream)
    with zipfile.ZipFile(path) as file:
        data = file.read("data")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", data)
        file.writestr("policy.pth", stream.getvalue())
    imported = compare(model, env_id, path, tmp_path / "run")
    actor, critic = imported.compiled.plan.spec.networks.actor, imported.compiled.plan.spec.networks
    assert (actor.layers, critic.critic.layers) == ([12, 7], [12, 6])


class OwnPolicy(ActorCriticPolicy):
    pass


class OwnExtractor(FlattenExtractor):
    pass


OwnReLU = type("ReLU", (nn.Tanh,), {})
WITH_IMAGE = spaces.Dict({"camera": PIXELS, "speed": VECTOR})
REFUSED = {
    "dictionary with an image": (
        (PPO, WITH_IMAGE, spaces.Discrete(2), {"policy": "MultiInputPolicy"}),
        "`camera` go through convolutions",
    ),
    "policy": ((PPO, VECTOR, spaces.Discrete(2), {"policy": OwnPolicy}), "policy is a class of"),
    "features": (
        (PPO, VECTOR, spaces.Discrete(2), {"kw": {"features_extractor_class": OwnExtractor}}),
        "features come from",
    ),
    "activation": (
        (PPO, VECTOR, spaces.Discrete(2), {"kw": {"activation_fn": nn.Mish}}),
        "have the activation torch.nn.modules.activation.Mish",
    ),
    "activation called as another": (
        (PPO, VECTOR, spaces.Discrete(2), {"kw": {"activation_fn": OwnReLU}}),
        r"have the activation .*\.ReLU",
    ),
    "activation with an argument": (
        (
            PPO,
            VECTOR,
            spaces.Discrete(2),
            {"kw": {"activation_fn": functools.partial(nn.LeakyReLU, 0.3)}},
        ),
        "have the activation functools.partial",
    ),
    "lstm": (
        (RecurrentPPO, VECTOR, spaces.Discrete(2), {"policy": "MlpLstmPolicy"}),
        "RecurrentPPO",
    ),
    "ars": ((ARS, VECTOR, spaces.Discrete(2), {"policy": "LinearPolicy"}), "is of ARS"),
    "dqn": (
        (DQN, VECTOR, spaces.Discrete(2), {"buffer_size": 9}),
        "is of DQN, which learns from a",
    ),
    "qrdqn": ((QRDQN, VECTOR, spaces.Discrete(2), {"buffer_size": 9}), "is of QR-DQN"),
    "sac": ((SAC, VECTOR, BOUNDED, {"buffer_size": 9}), "is of SAC"),
    "td3": ((TD3, VECTOR, BOUNDED, {"buffer_size": 9}), "is of TD3"),
    "tqc": ((TQC, VECTOR, BOUNDED, {"buffer_size": 9}), "is of TQC"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_would_act_otherwise_is_refused(name, tmp_path):
    (algorithm, observations, actions, arguments), reason = REFUSED[name]
    arguments = dict(arguments)
    kwargs = {"policy_kwargs": arguments.pop("kw")} if "kw" in arguments else {}
    env_id, path = registered(observations, actions), tmp_path / "model.zip"
    policy = arguments.pop("policy", "MlpPolicy")
    algorithm(policy, env_id, device="cpu", **arguments, **kwargs).save(path)
    with pytest.raises(SpecError, match=reason):
        convert(path, env_id)


LOW, HIGH = BOUNDED.low, BOUNDED.high
OTHER_SPACES = {
    "bounds": ((VECTOR, BOUNDED), (VECTOR, spaces.Box(LOW, HIGH + 1)), "actions would differ"),
    "kind of actions": (
        (VECTOR, spaces.MultiDiscrete([2, 3])),
        (VECTOR, spaces.Discrete(5)),
        "actions are MultiDiscrete",
    ),
    "choices": (
        (VECTOR, spaces.MultiDiscrete([2, 3])),
        (VECTOR, spaces.MultiDiscrete([3, 2])),
        "has 2, 3 actions",
    ),
    "start": (
        (VECTOR, spaces.Discrete(3, start=1)),
        (VECTOR, spaces.Discrete(3, start=1)),
        "do not start at 0",
    ),
    "shape": (
        (spaces.Box(-1, 1, (2, 3)), spaces.Discrete(3)),
        (spaces.Box(-1, 1, (3, 2)), spaces.Discrete(3)),
        r"observations are of \[2, 3\]",
    ),
    "kind of observations": (
        (spaces.Discrete(5), spaces.Discrete(3)),
        (VECTOR, spaces.Discrete(3)),
        "observations are Discrete",
    ),
}


@pytest.mark.parametrize("name", OTHER_SPACES)
def test_an_environment_of_other_spaces_is_refused(name, tmp_path):
    """The parameters fit such spaces all the same."""
    trained, given, reason = OTHER_SPACES[name]
    path = tmp_path / "model.zip"
    saved(PPO, registered(*trained), path)
    with pytest.raises(SpecError, match=reason):
        convert(path, registered(*given))


class OwnBuffer(RolloutBuffer):
    pass


def test_what_training_had_is_a_comment(tmp_path):
    env_id, path = registered(VECTOR, BOUNDED), tmp_path / "model.zip"
    kwargs = {"optimizer_class": torch.optim.Adagrad, "optimizer_kwargs": {"lr_decay": 0.1}}
    saved(
        PPO,
        env_id,
        path,
        rollout_buffer_class=OwnBuffer,
        clip_range=lambda left: 0.1 * left,
        learning_rate=LinearSchedule(1e-3, 1e-4, 0.5),
        policy_kwargs=kwargs,
    )
    said = "\n".join(note.text for note in convert(path, env_id).notes)
    for words in ("rollout_buffer_class", "optimizer_class: torch.optim.adagrad", "lr_decay"):
        assert f"not carried over: {words}" in said or words in said
    assert "clip_range is a function, of which the file has only a pickle" in said
    imported = convert(path, env_id, overrides=["training.seed=3"])
    write(imported, tmp_path / "run")
    text = (tmp_path / "run" / "imported.yaml").read_text()
    for words in ("# not carried over: clip_range", "# Given with it: -s training.seed=3"):
        assert words in text
    assert "It does not say whether VecNormalize scaled observations" in text
    assert "learning_rate is a function, LinearSchedule(start=0.001, end=0.0001" in said
    assert said.count("not carried over") == 5
    saved(PPO, env_id, path)
    assert convert(path, env_id).notes == []
    saved(A2C, env_id, path, use_rms_prop=False)
    imported = convert(path, env_id)
    assert imported.notes == []
    assert imported.compiled.plan.spec.optimizer.actor.kind == "adam"


def test_a_stack_of_vectors_is_in_the_order_of_theirs(tmp_path):
    env_id, path = registered(VECTOR, spaces.Discrete(4)), tmp_path / "model.zip"
    envs = VecFrameStack(DummyVecEnv([lambda: gymnasium.make(env_id)]), 3)
    model = saved(PPO, envs, path)
    compare(model, env_id, path, tmp_path / "run", overrides=["env.frame_stack=3"])
    with pytest.raises(SpecError, match=r"actor.0.weight is \[64, 15\], not \[64, 5\]"):
        convert(path, env_id)


def test_statistics_of_a_dictionary_and_another_epsilon(tmp_path):
    """With the program that docs/importing.md shows."""
    import pickle
    import re
    from pathlib import Path

    space = spaces.Dict({"b": VECTOR, "a": spaces.Box(-5, 5, (2,))})
    env_id, path = registered(space, spaces.Discrete(4)), tmp_path / "model.zip"
    envs = DummyVecEnv([lambda: gymnasium.make(env_id)])
    envs = VecNormalize(envs, clip_obs=1.5, epsilon=0.3)
    model = saved(PPO, envs, path, policy="MultiInputPolicy")
    envs.reset()
    for _ in range(30):
        envs.step([0])
    with open(tmp_path / "vecnormalize.pkl", "wb") as file:
        pickle.dump(envs, file)
    text = (Path(__file__).parents[2] / "docs" / "importing.md").read_text()
    program = re.search(r"```python\n(import numpy, pickle.*?)```", text, re.DOTALL)[1]
    program = program.replace('"vecnormalize.pkl"', repr(str(tmp_path / "vecnormalize.pkl")))
    exec(program.replace('"statistics.npz"', repr(str(tmp_path / "statistics.npz"))), {})
    statistics = read_statistics(tmp_path / "statistics.npz")
    imported = convert(path, env_id, statistics=statistics)
    write(imported, tmp_path / "run")
    module = load_module(tmp_path / "run" / "module.py")
    policy = load_run_policy(module, tmp_path / "run", deterministic=True)
    samples = [space.sample() for _ in range(ROWS)]
    theirs = {key: np.stack([s[key] for s in samples]) for key in space.spaces}
    expected, _ = model.predict(envs.normalize_obs(theirs), deterministic=True)
    flat = np.stack([spaces.flatten(space, s) for s in samples]).astype(np.float32)
    assert (policy(flat) == expected).mean() > 0.97
