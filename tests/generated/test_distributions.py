"""The action distributions, against torch.distributions, SciPy and Stable-Baselines3."""

import numpy as np
import pytest
import torch
from scipy import stats
from stable_baselines3.common.distributions import StateDependentNoiseDistribution
from torch import distributions

import toys  # noqa: F401 - registers the environments
from ppoc import runtime

TOY = ("env.backend=gymnasium", "networks.actor.layers=[6]", "networks.critic.layers=[6]")
BOX = "env.id=ToyBoxVector-v0"
KINDS = {
    "multi-categorical": ("env.id=ToyMultiDiscreteVector-v0",),
    "bernoulli": ("env.id=ToyMultiBinaryVector-v0",),
    "gaussian": (BOX,),
    "tanh-gaussian": (BOX, "networks.actor.distribution=tanh-gaussian"),
    "beta": (BOX, "networks.actor.distribution=beta"),
    "state-dependent": (BOX, "networks.actor.std=state-dependent"),
    "gsde": (BOX, "networks.actor.std=gsde"),
}
SAMPLES = 4000


def drawn(module, seed, dtype=torch.float64):
    """Random parameters by name, and some observations."""
    generator = torch.Generator().manual_seed(seed)
    size = module.initial_parameters(0).shape
    params = 0.5 * torch.randn(size, generator=generator, dtype=dtype)
    observations = torch.randn(7, 3, generator=generator, dtype=dtype)
    return module.runtime.unflatten(params, module.SHAPES), observations


def parameters(module, p, observations):
    """The parameters of the module's distributions: logits, or mean and log σ, or α and β."""
    output = module.actor(p, observations)
    if isinstance(output, tuple):
        return output
    return (output, p["log_std"]) if "log_std" in p else (output,)


def peers(kind, parts):
    """The same distributions in torch; several where components differ in kind."""
    if kind == "multi-categorical":
        return [distributions.Categorical(logits=logits) for logits in parts[0].split((2, 3), -1)]
    if kind == "bernoulli":
        inner = distributions.Bernoulli(logits=parts[0])
    elif kind == "beta":
        inner = distributions.Beta(*parts)
    else:
        inner = distributions.Normal(parts[0], parts[1].exp())
    return [distributions.Independent(inner, 1)]


def weights(p):
    return {name: tensor.numpy() for name, tensor in p.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_log_prob_and_entropy_are_those_of_torch(module_of, kind):
    module = module_of("ppo/cartpole", *TOY, *KINDS[kind])
    parts = parameters(module, *drawn(module, 0))
    found = peers(kind, parts)
    samples = [peer.sample() for peer in found]
    actions = torch.stack(samples, -1) if len(samples) > 1 else samples[0]
    if kind == "tanh-gaussian":
        found = [distributions.TransformedDistribution(found[0], [distributions.TanhTransform()])]
        samples = [actions.tanh()]
    expected = sum(peer.log_prob(x) for peer, x in zip(found, samples, strict=True))
    torch.testing.assert_close(module.log_prob(*parts, actions), expected)
    if kind != "tanh-gaussian":  # which has no closed form
        of = parts[1:] if kind in ("gaussian", "state-dependent", "gsde") else parts
        entropy = module.entropy(*of).expand(7)
        torch.testing.assert_close(entropy, sum(peer.entropy() for peer in found))


def test_the_entropy_of_a_narrow_squashed_gaussian_is_nearly_that_of_samples(module_of):
    module = module_of("ppo/cartpole", *TOY, *KINDS["tanh-gaussian"])
    p, observations = drawn(module, 1)
    mean = module.actor(p, observations)
    log_std = torch.full((2,), -3.0, dtype=torch.float64)
    samples = mean + log_std.exp() * torch.randn(20_000, *mean.shape, dtype=torch.float64)
    expected = -module.log_prob(mean, log_std, samples).mean(0)
    torch.testing.assert_close(module.entropy(mean, log_std), expected, rtol=0, atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_is_that_of_torch(module_of, kind):
    module = module_of("trpo/cartpole", *TOY, *KINDS[kind])
    old, observations = drawn(module, 2)
    new, _ = drawn(module, 3)
    pairs = zip(
        *(peers(kind, parameters(module, p, observations)) for p in (old, new)), strict=True
    )
    expected = sum(distributions.kl_divergence(*pair) for pair in pairs).mean()
    flat = (module.runtime.flatten(p, module.SHAPES) for p in (new, old))
    torch.testing.assert_close(module.divergence(*flat, observations), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_an_action_is_the_mode_or_the_median(module_of, kind):
    module = module_of("ppo/cartpole", *TOY, *KINDS[kind])
    p, observations = drawn(module, 4)
    parts = [part.numpy() for part in parameters(module, p, observations)]
    noise = module.no_noise() if kind == "beta" else np.zeros(1, np.float32)
    if kind == "gsde":
        noise = np.zeros((1, 1, 1), np.float32)
    actions = module.act(weights(p), observations.numpy(), noise)
    if kind == "multi-categorical":
        modes = [part.argmax(-1) for part in np.split(parts[0], [2], -1)]
        np.testing.assert_array_equal(actions, np.stack(modes, -1))
    elif kind == "bernoulli":
        np.testing.assert_array_equal(actions, parts[0] > 0)
    elif kind == "beta":
        np.testing.assert_allclose(actions, stats.beta(*parts).median(), atol=0.02)
    else:
        np.testing.assert_allclose(actions, parts[0], rtol=1e-10)


def samples(module, seed):
    """One observation's parameters, and many actions for it, each of an environment."""
    p, observations = drawn(module, seed, torch.float32)
    repeated = observations[:1].expand(SAMPLES, -1).numpy()
    noise = module.draw_noise(np.random.default_rng(seed), 1, SAMPLES)[0]
    parts = [
        x.double().numpy().reshape(-1, x.shape[-1])[0] for x in parameters(module, p, observations)
    ]
    return parts, module.act(weights(p), repeated, noise)


@pytest.mark.parametrize("kind", ["gaussian", "tanh-gaussian", "beta", "state-dependent", "gsde"])
def test_samples_of_continuous_actions_follow_the_distribution(module_of, kind):
    module = module_of("ppo/cartpole", *TOY, *KINDS[kind])
    parts, actions = samples(module, 5)
    for index, column in enumerate(actions.T):
        first, second = (part[index] for part in parts)
        expected = (
            stats.beta(first, second) if kind == "beta" else stats.norm(first, np.exp(second))
        )
        assert stats.kstest(column, expected.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(actions.T)[0, 1]) < 0.06


@pytest.mark.parametrize("kind", ["multi-categorical", "bernoulli"])
def test_samples_of_choices_follow_the_distribution(module_of, kind):
    module = module_of("ppo/cartpole", *TOY, *KINDS[kind])
    (logits,), actions = samples(module, 6)
    if kind == "bernoulli":
        chances = [[1 - p, p] for p in 1 / (1 + np.exp(-logits))]
    else:
        chances = [np.exp(part) / np.exp(part).sum() for part in np.split(logits, [2])]
    for chance, column in zip(chances, actions.T, strict=True):
        counts = np.bincount(column, minlength=len(chance))
        assert stats.chisquare(counts, SAMPLES * np.array(chance)).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["tanh-gaussian", "beta"])
def test_actions_are_scaled_to_the_bounds(module_of, kind):
    module = module_of("ppo/cartpole", *TOY, *KINDS[kind])
    lowest, middle, highest = (0, 0.5, 1) if kind == "beta" else (-50, 0, 50)
    ends = np.array([[lowest] * 2, [middle] * 2, [highest] * 2], np.float32)
    np.testing.assert_allclose(module.scale(ends), [[-2, -2], [-0.5, -0.5], [1, 1]], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_acts_in_torch_as_its_features_do_in_numpy(module_of, kind):
    """With noise, of all environments at once; the memory's features are the other's observations.

    And without its noise it acts otherwise, so that the noise counts.
    """
    _, *options = ("", *KINDS[kind])
    linear = ("env.backend=gymnasium", *options, "networks.actor.layers=[]")
    numpy = module_of("ppo/cartpole", *linear)
    memory = "networks.actor.memory={kind: gru, size: 3}"
    share = "networks.critic={share: actor}"
    torchs = module_of("ppo/cartpole", *linear, memory, share)
    p, observations = drawn(torchs, 9, torch.float32)
    starts, state = np.zeros(7, bool), torch.randn(7, 3)
    features, after = torchs.body(p, observations[None], torch.zeros(1, 7, dtype=bool), state)
    head = {name: p[_same_head(name, p)] for name in numpy.SHAPES if name[0] != "c"}
    noise = numpy.draw_noise(np.random.default_rng(9), 1, 7)[0]
    found, state_after = torchs.act(p, observations.numpy(), noise, starts, state)
    np.testing.assert_allclose(found, numpy.act(weights(head), features[0].numpy(), noise), 1e-5)
    torch.testing.assert_close(state_after, after[0])
    still, _ = torchs.act(p, observations.numpy(), 0 * noise, starts, state)
    assert (still != found).any()


def _same_head(name, p):
    """The name of a linear actor's parameter after a memory."""
    return name if name in p else name.replace("actor.0", "actor")


def test_gsdes_distribution_is_stable_baselines3s(module_of):
    module = module_of("ppo/cartpole", *TOY, *KINDS["gsde"])
    p, observations = drawn(module, 7, torch.float32)
    mean, log_std = module.actor(p, observations)
    peer = StateDependentNoiseDistribution(2)
    peer.proba_distribution_net(6, latent_sde_dim=6)
    peer.proba_distribution(mean, p["log_std"], module.actor_hidden(p, observations))
    actions = mean + torch.randn_like(mean)
    torch.testing.assert_close(module.log_prob(mean, log_std, actions), peer.log_prob(actions))
    torch.testing.assert_close(module.entropy(log_std), peer.entropy())


def test_gsdes_noise_is_one_function_of_the_state_for_some_steps(module_of):
    """Between two states, actions vary together: cov = Σᵢ hᵢ(s) hᵢ(s′) σᵢ²."""
    module = module_of("ppo/cartpole", *TOY, *KINDS["gsde"])
    p, observations = drawn(module, 8, torch.float32)
    noise = module.draw_noise(np.random.default_rng(8), 5, SAMPLES)
    assert noise.shape == (5, SAMPLES, 6, 2)
    assert all(np.array_equal(noise[0], step) for step in noise)
    first, second = (
        module.act(weights(p), row.expand(SAMPLES, -1).numpy(), noise[0])
        for row in observations[:2]
    )
    hidden = module.actor_hidden(p, observations).numpy()
    expected = hidden[0] * hidden[1] @ np.exp(2 * p["log_std"].numpy())
    for index in range(2):
        found = np.cov(first[:, index], second[:, index])
        error = np.sqrt(found[0, 0] * found[1, 1] / SAMPLES)
        assert abs(found[0, 1] - expected[index]) < 5 * error
    again = module_of("ppo/cartpole", *TOY, *KINDS["gsde"], "networks.actor.resample_every=3")
    noise = again.draw_noise(np.random.default_rng(8), 5, 4)
    assert noise.shape == (5, 4, 6, 2)
    assert [np.array_equal(noise[t], noise[t + 1]) for t in range(4)] == [True, True, False, True]


@pytest.mark.parametrize("alpha", [1.0, 1.7, 30.0])
def test_gamma_variables_follow_scipys(alpha):
    noise = runtime.gamma_noise(np.random.default_rng(0), (20_000,))
    found = runtime.gamma(np.full(20_000, alpha, np.float32), noise)
    assert stats.kstest(found, stats.gamma(alpha).cdf).pvalue > 1e-3
    middle = runtime.gamma(np.float32([alpha]), np.zeros((1, 2, 1), np.float32))
    assert middle[0] == pytest.approx(stats.gamma(alpha).median(), rel=0.04)
