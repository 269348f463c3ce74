"""The generated policy: its NumPy form, its samples, and what it does with observations."""

import numpy as np
import pytest
import torch
from scipy import stats

from ppoc.runtime.learning import activations


def random_weights(module, seed):
    generator = torch.Generator().manual_seed(seed)
    params = 0.5 * torch.randn(module.initial_parameters(0).shape, generator=generator)
    return params, module.runtime.as_arrays(params, module.SHAPES)


ACTIVATIONS = ["tanh", "relu", "elu", "silu"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["ppo/halfcheetah", "ppo/cartpole"])
@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_numpy_actor_equals_torch_actor(module_of, name, activation, critic):
    overrides = [f"networks.actor.activation={activation}", "losses.value.clip=null"]
    if critic == "shared":
        overrides.append("networks.critic={share: actor}")
    module = module_of(name, *overrides)
    params, _ = random_weights(module, 0)
    # In double precision, so that the order of summation makes no difference worth a tolerance.
    p = module.runtime.unflatten(params.double(), module.SHAPES)
    w = {key: tensor.numpy() for key, tensor in p.items()}
    inputs = next(iter(module.SHAPES.values()))[1]
    observations = torch.randn(500, inputs, dtype=torch.float64) * 3
    features = module.body(p, observations) if critic == "shared" else observations
    output = module.actor(p, features).numpy()
    zero = np.zeros(1, np.float32)
    actions = module.act(w, observations.numpy(), zero)
    if "log_std" in module.SHAPES:
        np.testing.assert_allclose(actions, output, rtol=1e-10, atol=1e-10)
    else:
        gap = np.sort(output, axis=-1)
        clear = gap[:, -1] - gap[:, -2] > 1e-10
        assert clear.mean() > 0.99
        np.testing.assert_array_equal(actions[clear], output.argmax(-1)[clear])


@pytest.mark.parametrize("name", ["elu", "silu", "gelu", "leaky_relu", "softplus"])
def test_activations_are_torchs(name):
    """At any size, none overflows."""
    inputs = torch.cat([torch.linspace(-8, 8, 301), torch.tensor([-1e4, -90.0, 90.0, 1e4])])
    found = getattr(activations, name)(inputs.numpy())
    assert found.dtype == np.float32
    expected = getattr(torch.nn.functional, name)(inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_categorical_samples_follow_the_softmax(module_of):
    module = module_of("ppo/acrobot")
    params, w = random_weights(module, 1)
    observation = np.full((1, 6), 0.3, np.float32)
    logits = module.actor(
        module.runtime.unflatten(params, module.SHAPES), torch.tensor(observation)
    )
    expected = logits.softmax(-1)[0].double().numpy()
    noise = module.draw_noise(np.random.default_rng(0), 20_000, 1)[:, 0]
    actions = module.act(w, np.repeat(observation, 20_000, axis=0), noise)
    counts = np.bincount(actions, minlength=3)
    assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-3


def test_gaussian_samples_have_the_mean_and_deviation(module_of):
    module = module_of("ppo/pendulum")
    _, w = random_weights(module, 2)
    observations = np.full((50_000, 3), 0.3, np.float32)
    noise = module.draw_noise(np.random.default_rng(0), 50_000, 1)[:, 0]
    sample = module.act(w, observations, noise)[:, 0]
    mean = module.act(w, observations[:1], np.zeros(1))[0, 0]
    assert stats.kstest(sample, "norm", (mean, np.exp(w["log_std"][0]))).pvalue > 1e-3


def test_log_probs_are_those_of_torch_distributions(module_of):
    gaussian, categorical = module_of("ppo/halfcheetah"), module_of("ppo/acrobot")
    mean, log_std, actions = torch.randn(9, 6), torch.randn(6), torch.randn(9, 6)
    normal = torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp()), 1)
    torch.testing.assert_close(gaussian.log_prob(mean, log_std, actions), normal.log_prob(actions))
    torch.testing.assert_close(gaussian.entropy(log_std), normal.entropy()[0])
    logits, choices = torch.randn(9, 3), torch.randint(3, (9,))
    expected = torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(categorical.log_prob(logits, choices), expected.log_prob(choices))
    torch.testing.assert_close(categorical.entropy(logits), expected.entropy())


def test_initial_parameters_are_orthogonal_with_the_usual_gains(module_of):
    module = module_of("ppo/halfcheetah")
    p = module.runtime.unflatten(module.initial_parameters(3), module.SHAPES)
    gains = {"actor.1.weight": 2**0.5, "actor.2.weight": 0.01, "critic.2.weight": 1.0}
    for name, gain in gains.items():
        gram = p[name] @ p[name].T
        torch.testing.assert_close(gram, gain**2 * torch.eye(len(gram)), rtol=1e-4, atol=1e-5)
    assert not torch.equal(module.initial_parameters(3), module.initial_parameters(4))


def test_actions_stay_within_the_bounds(module_of):
    module = module_of("ppo/pendulum")
    _, w = random_weights(module, 4)
    choose = module.policy({**w, "log_std": w["log_std"] + 3}, np.random.default_rng(0))
    actions = choose(np.random.default_rng(1).standard_normal((100, 3)).astype(np.float32))
    assert actions.min() == -2
    assert actions.max() == 2
