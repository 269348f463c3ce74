"""Models of Stable-Baselines3: the same actions, and nothing unpickled."""

import io
import json
import pickle
import tracemalloc
import warnings
import zipfile

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import TRPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import toys  # noqa: F401 - registers the environments
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.importing.sb3 import convert, read_statistics, write
from ppoc.runtime.errors import RunError
from ppoc.runtime.run.launch import load_module
from ppoc.runtime.run.run import Run
from ppoc.runtime.run.trained import evaluate_run, load_run_policy

RELU = {"activation_fn": torch.nn.ReLU, "net_arch": {"pi": [32], "vf": [16, 8]}}
MODELS = {
    "ppo-discrete": (PPO, "CartPole-v1", {}),
    "a2c-discrete": (A2C, "Acrobot-v1", {"policy_kwargs": {"net_arch": []}}),
    "ppo-continuous": (PPO, "Pendulum-v1", {"policy_kwargs": {**RELU, "log_std_init": -1.0}}),
    "a2c-continuous": (A2C, "Pendulum-v1", {"learning_rate": 1e-3, "gae_lambda": 0.9}),
    "trpo": (TRPO, "Pendulum-v1", {"cg_max_steps": 5}),
    "ppo-gsde": (PPO, "Pendulum-v1", {"use_sde": True, "sde_sample_freq": 4}),
    "ppo-squashed": (
        PPO,
        "Pendulum-v1",
        {"use_sde": True, "policy_kwargs": {"squash_output": True}},
    ),
}


def saved(algorithm, env, path, **arguments):
    """A model with random weights, large enough for its actions to differ, and its file."""
    policy = arguments.pop("policy", "MlpPolicy")
    model = algorithm(policy, env, device="cpu", **arguments)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    model.save(path)
    return model


def imported(path, env, folder, **choice):
    write(convert(path, env, **choice), folder)
    return load_module(folder / "module.py")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_the_same_actions(name, tmp_path):
    algorithm, env, arguments = MODELS[name]
    path = tmp_path / "model.zip"
    model = saved(algorithm, env, path, **arguments)
    module = imported(path, env, tmp_path / "run")
    policy = load_run_policy(module, tmp_path / "run", deterministic=True)
    size = model.observation_space.shape[0]
    observations = np.random.default_rng(0).normal(size=(200, size)).astype(np.float32)
    theirs, _ = model.predict(observations, deterministic=True)
    ours = policy(observations)
    if model.action_space.dtype.kind == "i":
        assert (ours == theirs).all()
        assert len(np.unique(theirs)) > 1
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert evaluate_run(module, tmp_path / "run", episodes=1).episodes == 1
    with pytest.raises(RunError, match="holds a policy alone"):
        Run(tmp_path / "run", resume=True)


def test_a_model_of_bounds_far_from_one_takes_the_same_actions(tmp_path):
    """Theirs are as the environment takes them, whatever its bounds."""
    path = tmp_path / "model.zip"
    model = saved(PPO, "ToyBoundedValve-v0", path)
    with torch.no_grad():
        model.policy.action_net.bias += torch.tensor([600.0, -2.0])
    model.save(path)
    module = imported(path, "ToyBoundedValve-v0", tmp_path / "run")
    observations = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    ours = load_run_policy(module, tmp_path / "run", deterministic=True)(observations)
    np.testing.assert_allclose(ours, model.predict(observations, deterministic=True)[0], rtol=1e-4)
    assert ours[:, 0].min() > 500


@pytest.mark.parametrize("shared", [True, False])
def test_a_model_of_images_takes_the_same_actions(shared, tmp_path):
    """The observations of an Atari game, without the game."""
    frames = spaces.Box(0, 255, (4, 84, 84), np.uint8)

    class Game(gymnasium.Env):
        observation_space, action_space = frames, spaces.Discrete(6)

    path = tmp_path / "model.zip"
    kwargs = {"net_arch": [24], "share_features_extractor": shared}
    arguments = {"policy": "CnnPolicy", "n_steps": 8, "batch_size": 8, "policy_kwargs": kwargs}
    model = saved(PPO, Game(), path, **arguments)
    pytest.importorskip("ale_py")
    module = imported(path, "PongNoFrameskip-v4", tmp_path / "run")
    policy = load_run_policy(module, tmp_path / "run", deterministic=True)
    observations = np.random.default_rng(0).integers(0, 256, (40, 4, 84, 84), np.uint8)
    theirs, _ = model.predict(observations, deterministic=True)
    assert (policy(observations) == theirs).all()


def test_the_settings_come_along(tmp_path):
    path = tmp_path / "model.zip"
    model = saved(
        PPO,
        DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")] * 4),
        path,
        n_steps=64,
        batch_size=32,
        n_epochs=3,
        gamma=0.9,
        gae_lambda=0.8,
        clip_range=0.1,
        clip_range_vf=0.4,
        ent_coef=0.01,
        vf_coef=0.7,
        max_grad_norm=0.3,
        target_kl=0.05,
        learning_rate=2e-4,
        seed=5,
    )
    assert model.n_envs == 4
    spec = convert(path, "Pendulum-v1").compiled.plan.spec
    assert (spec.env.num_envs, spec.update.rollout_steps) == (4, 256)
    assert (spec.update.minibatch_size, spec.update.epochs, spec.update.target_kl) == (32, 3, 0.05)
    assert (spec.advantage.gamma, spec.advantage.lambda_) == (0.9, 0.8)
    assert (spec.losses.policy.epsilon, spec.losses.value.clip) == (0.1, 0.4)
    assert (spec.losses.value.coefficient, spec.losses.entropy.beta) == (0.7, 0.01)
    assert (spec.optimizer.actor.lr, spec.optimizer.max_grad_norm) == (2e-4, 0.3)
    assert spec.training.seed == 5


def test_a_rate_that_is_a_function_is_told(tmp_path):
    path = tmp_path / "model.zip"
    saved(PPO, "CartPole-v1", path, learning_rate=lambda left: 1e-3 * left)
    notes = convert(path, "CartPole-v1").notes
    assert [note.path for note in notes] == [("optimizer",)]
    assert "learning_rate is a function" in notes[0].text


def test_statistics_of_vecnormalize_come_as_arrays(tmp_path):
    env = VecNormalize(DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")]), clip_obs=3.0)
    path = tmp_path / "model.zip"
    model = saved(PPO, env, path)
    env.reset()
    for _ in range(50):
        env.step(np.random.default_rng(0).uniform(-2, 2, (1, 1)))
    rms, file = env.obs_rms, tmp_path / "statistics.npz"
    np.savez(file, mean=rms.mean, var=rms.var, count=rms.count, clip=env.clip_obs)
    statistics = read_statistics(file)
    module = imported(path, "Pendulum-v1", tmp_path / "run", statistics=statistics)
    policy = load_run_policy(module, tmp_path / "run", deterministic=True)
    observations = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32) * 4
    theirs, _ = model.predict(env.normalize_obs(observations), deterministic=True)
    np.testing.assert_allclose(policy(observations), theirs, rtol=1e-4, atol=1e-4)
    np.savez(file, mean=[0.0], var=[1.0], count=1, clip=10.0)
    with pytest.raises(SpecError, match="statistics of 1 components for observations of 3"):
        imported(path, "Pendulum-v1", tmp_path / "other", statistics=read_statistics(file))


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def changed(path, **parts):
    """The model file with some parts replaced."""
    with zipfile.ZipFile(path) as file:
        kept = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**kept, **parts}.items():
            file.writestr(name, content)


def test_nothing_is_unpickled(tmp_path):
    import base64

    path, mark = tmp_path / "model.zip", tmp_path / "mark"
    saved(PPO, "CartPole-v1", path)
    with zipfile.ZipFile(path) as file:
        data = json.loads(file.read("data"))
    trap = base64.b64encode(pickle.dumps(Trap(mark))).decode()
    for value in data.values():
        if isinstance(value, dict) and ":serialized:" in value:
            value[":serialized:"] = trap
    changed(path, data=json.dumps(data))
    convert(path, "CartPole-v1")
    stream = io.BytesIO()
    torch.save({"action_net.weight": Trap(mark)}, stream)
    changed(path, **{"policy.pth": stream.getvalue()})
    with pytest.raises(SpecError, match="cannot be read"):
        convert(path, "CartPole-v1")
    assert not mark.exists()
    np.savez(tmp_path / "s.npz", mean=np.array([Trap(mark)], dtype=object))
    with pytest.raises(SpecError, match="cannot be read as statistics"):
        read_statistics(tmp_path / "s.npz")
    assert not mark.exists()


def test_what_cannot_be_imported_is_refused(tmp_path):
    path = tmp_path / "model.zip"
    with pytest.raises(SpecError, match="cannot be read as a model"):
        convert(path, "CartPole-v1")
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(SpecError, match="cannot be read as a model"):
        convert(path, "CartPole-v1")
    saved(PPO, "CartPole-v1", path)
    with pytest.raises(SpecError, match=r"actor.0.weight is \[64, 4\], not \[64, 3\]"):
        convert(path, "Pendulum-v1")
    changed(path, data="{")
    with pytest.raises(SpecError, match="cannot be read as a model"):
        convert(path, "CartPole-v1")
    changed(path, data="{}")
    with pytest.raises(SpecError, match="not PPO or A2C"):
        convert(path, "CartPole-v1")
    from stable_baselines3 import DQN

    DQN("MlpPolicy", "CartPole-v1", buffer_size=10, device="cpu").save(path)
    with pytest.raises(SpecError, match="not PPO or A2C"):
        convert(path, "CartPole-v1")


def zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in entries:
            file.writestr(name, content)


def weights(**tensors):
    stream = io.BytesIO()
    torch.save(tensors, stream)
    return stream.getvalue()


ZEROS = torch.zeros(1)
MADE_UP = {
    "bomb": ([("data", b"0" * 20_000_000)], "unpacks to 20,000,000 bytes"),
    "bomb of weights": ([("data", "{}"), ("policy.pth", bytes(20_000_000))], "unpacks to"),
    "bomb beside": ([("data", "{}"), ("x", bytes(20_000_000))], "unpacks to"),
    "twice": ([("data", "{}"), ("data", "{}")], "or one twice"),
    "many": ([(str(n), "") for n in range(100)], "more than 64 entries"),
    "no data": ([("policy.pth", weights(x=ZEROS))], "no entry 'data'"),
    "no weights": ([("data", "{}")], "no entry 'policy.pth'"),
    "deep": ([("data", "[" * 100_000), ("policy.pth", b"")], "levels"),
    "key twice": ([("data", '{"a": 1, "a": 2}'), ("policy.pth", b"")], "twice"),
    "no archive": ([("data", "{}"), ("policy.pth", b"x")], "weights in .* cannot be read"),
    "nan": (
        [("data", "{}"), ("policy.pth", weights(x=torch.tensor([np.nan])))],
        "weights in .* are not finite: x",
    ),
    "no memory behind it": (
        [("data", "{}"), ("policy.pth", weights(x=ZEROS.expand(10**12)))],
        "no settings with weights",
    ),
    "whole numbers": (
        [("data", "{}"), ("policy.pth", weights(x=torch.zeros(1, dtype=torch.int64)))],
        "no settings with weights",
    ),
}


@pytest.mark.parametrize("kind", MADE_UP)
def test_a_made_up_model_is_one_error(tmp_path, kind):
    entries, said = MADE_UP[kind]
    zipped(tmp_path / "model.zip", entries)
    with pytest.raises(SpecError, match=said):
        convert(tmp_path / "model.zip", "CartPole-v1")


def test_a_size_that_a_model_lies_about_is_not_believed(tmp_path):
    """The headers of a bomb say that it is small."""
    path = tmp_path / "model.zip"
    zipped(path, [("data", bytes(60_000_000))])
    data = path.read_bytes().replace((60_000_000).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(SpecError, match="cannot be read as a model"):
        convert(path, "CartPole-v1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_statistics_that_unpack_to_much_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "s.npz", mean=np.zeros(10**7), var=np.zeros(1))
    with pytest.raises(SpecError, match="unpacks to"):
        read_statistics(tmp_path / "s.npz")
