"""Exported policies take the actions of their run, for any number of observations."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

import toys  # noqa: F401 - registers the environments
from ppoc.exporting.formats import FILES, export
from ppoc.exporting.policy import ExportError, compare, load
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.trained import load_run_policy


class Barred(gymnasium.Env):
    """An environment that says which actions it allows."""

    observation_space, action_space = Box(-1, 1, (4,)), Discrete(3)

    def reset(self, **arguments):
        super().reset(**arguments)
        return np.zeros(4, np.float32), {}

    def step(self, action):
        return np.zeros(4, np.float32), 0.0, False, False, {}

    def action_masks(self):
        return np.array([1, 0, 1])


gymnasium.register("PpocBarred-v0", entry_point=Barred)
NORMALIZED = "env.normalize={observations: true}"
POLICIES = {
    "categorical": ("ppo/cartpole", "networks.critic={share: actor}"),
    "gaussian": ("ppo/pendulum", NORMALIZED),
    "gsde": ("ppo/pendulum", "networks.actor.std=gsde"),
    "squashed": ("ppo/pendulum", "networks.actor={distribution: tanh-gaussian}", NORMALIZED),
    "beta": ("ppo/pendulum", "networks.actor={distribution: beta}"),
    "recurrent": ("ppo/pendulum", "networks={actor: {memory: {size: 8}}, critic: {share: body}}"),
    "recurrent-gsde": (
        "ppo/pendulum",
        "networks.actor={std: gsde, memory: {size: 8}, layers: []}",
        "networks.critic={memory: {size: 8}}",
    ),
    "multi-categorical": ("ppo/cartpole", "env={id: ToyMultiDiscreteVector-v0}"),
    "bernoulli": ("ppo/cartpole", "env={id: ToyMultiBinaryVector-v0}"),
    "images": (
        "ppo/cartpole",
        "env={id: ToyDiscreteBytes-v0}",
        "networks={actor: {body: nature-cnn, layers: []}, critic: {share: body, layers: []}}",
    ),
    "masked": (
        "ppo/cartpole",
        "env={id: PpocBarred-v0, action_masks: true, normalize: {observations: true}}",
    ),
}


@pytest.fixture
def run_of(module_of, tmp_path):
    """A run folder with random parameters and statistics, and its module."""

    def make(*variant):
        module = module_of(*variant)
        generator = torch.Generator().manual_seed(0)
        params = module.initial_parameters(0)
        params = params + 0.3 * torch.randn(params.shape, generator=generator)
        named = module.runtime.unflatten(params, module.SHAPES)
        groups = {f"parameters.{name}": tensor for name, tensor in named.items()}
        if hasattr(module, "new_normalizer"):
            normalize = module.new_normalizer()
            size = len(normalize.state()["mean"])
            normalize.update(np.random.default_rng(0).normal(1, 2, (100, size)))
            groups |= {f"observations.{k}": v for k, v in normalize.state().items()}
        checkpoints.save(tmp_path / "checkpoints", 100, groups, {"steps": 100})
        return module, tmp_path

    return make


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_in_torch_takes_the_same_actions(name, run_of):
    module, folder = run_of(*POLICIES[name])
    policy, _, expected = load(module, folder)
    kept = {key for key, _ in policy.named_buffers()}
    assert not any(key.startswith("critic_0") for key in kept)
    assert len(expected) == (3 if policy.recurrent else 1)
    assert expected[0].std() > 0


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("name", ["categorical", "gaussian", "beta", "recurrent"])
def test_a_file_takes_the_same_actions(name, form, run_of, tmp_path):
    module, folder = run_of(*POLICIES[name])
    path = tmp_path / FILES[form]
    export(module, folder, form, path)
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []
    if name == "recurrent":
        return
    # Read with the other library alone, and with another number of observations than exported.
    policy = load_run_policy(module, folder, deterministic=True)
    size = load(module, folder)[1].inputs[0].shape[1]
    for count in (1, 5):
        observations = np.random.default_rng(1).normal(size=(count, size)).astype(np.float32)
        if form == "onnx":
            import onnxruntime

            (found,) = onnxruntime.InferenceSession(path).run(None, {"observations": observations})
        elif form == "torchscript":
            found = torch.jit.load(path)(torch.as_tensor(observations)).numpy()
        else:
            program = torch.export.load(path).module()
            found = program(torch.as_tensor(observations)).numpy()
        np.testing.assert_allclose(found, policy(observations), rtol=1e-4, atol=1e-5)


def test_a_policy_that_differs_is_refused(run_of):
    module, folder = run_of(*POLICIES["gaussian"])
    policy, example, expected = load(module, folder)
    wrong = [expected[0] + 0.01]
    with pytest.raises(ExportError, match="differ"):
        compare(lambda x: [policy(torch.as_tensor(x)).numpy()], example, wrong)
    with pytest.raises(ExportError, match="cross-entropy"):
        load(run_of("cem/cartpole")[0], folder)
