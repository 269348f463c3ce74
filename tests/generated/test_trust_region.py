"""TRPO's step, against dense linear algebra and against sb3-contrib."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from sb3_contrib import TRPO
from sb3_contrib.trpo import trpo
from stable_baselines3.common.distributions import kl_divergence

from peers import Spaces, fill_buffer, flat_parameters, set_parameters
from ppoc.runtime.learning.compiled import compile_step

B = 64
SPECS = {"gaussian": "trpo/halfcheetah", "categorical": "trpo/cartpole"}
TINY = ("networks.actor.layers=[5]", "networks.critic.layers=[5]")


def random_batch(module, params, seed):
    """A batch whose log-probabilities are those of `params`, as at the start of an update."""
    generator = torch.Generator().manual_seed(seed)
    p = module.runtime.unflatten(params, module.SHAPES)
    inputs = module.SHAPES["actor.0.weight"][1]
    observations = torch.randn(B, inputs, generator=generator, dtype=params.dtype)
    output = module.actor(p, observations)
    noise = torch.randn(output.shape, generator=generator, dtype=params.dtype)
    if "log_std" in p:
        actions = output + noise * p["log_std"].exp()
        log_probs = module.log_prob(output, p["log_std"], actions)
    else:
        actions = (output + noise).argmax(-1)
        log_probs = module.log_prob(output, actions)
    advantages, returns = torch.randn(2, B, generator=generator, dtype=params.dtype)
    return module.Batch(observations, actions, log_probs, advantages, returns)


def random_parameters(module, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    size = sum(int(np.prod(shape)) for shape in module.SHAPES.values())
    return 0.3 * torch.randn(size, generator=generator, dtype=dtype)


def actor_size(module):
    return sum(int(np.prod(s)) for name, s in module.SHAPES.items() if name[0] in "al")


@pytest.mark.parametrize("kind", SPECS)
def test_divergence_is_that_of_torch_distributions(module_of, kind):
    module = module_of(SPECS[kind], *TINY)
    old, new = (random_parameters(module, seed) for seed in (0, 1))
    observations = random_batch(module, old, 2).observations
    dists = []
    for params in (old, new):
        p = module.runtime.unflatten(params, module.SHAPES)
        output = module.actor(p, observations)
        if kind == "gaussian":
            normal = torch.distributions.Normal(output, p["log_std"].exp())
            dists.append(torch.distributions.Independent(normal, 1))
        else:
            dists.append(torch.distributions.Categorical(logits=output))
    expected = torch.distributions.kl_divergence(*dists).mean()
    torch.testing.assert_close(module.divergence(new, old, observations), expected)


@pytest.mark.parametrize("kind", SPECS)
def test_direction_is_the_dense_natural_gradient(module_of, kind):
    """H⁻¹g with the Hessian of the divergence written out."""
    many = "optimizer.trust_region.cg_iterations=400"
    module = module_of(SPECS[kind], *TINY, many)
    params = random_parameters(module, 3)
    batch = random_batch(module, params, 4)
    n = actor_size(module)

    def kl(actor):
        return module.divergence(torch.cat([actor, params[n:]]), params, batch.observations)

    hessian = torch.func.hessian(kl)(params[:n]) + 0.1 * torch.eye(n, dtype=params.dtype)
    gradient = torch.func.grad(lambda x: module.surrogate(x, batch)[0])(params)
    expected = torch.linalg.solve(hessian, gradient[:n])

    def fisher(vector):
        slope = torch.func.grad(module.divergence)
        moved = torch.func.jvp(
            lambda x: slope(x, params, batch.observations), (params,), (vector,)
        )[1]
        return moved + 0.1 * vector

    found = module.conjugate_gradient(fisher, gradient)
    torch.testing.assert_close(found[:n], expected, rtol=1e-6, atol=1e-8)
    assert torch.equal(found[n:], torch.zeros_like(found[n:]))


def test_conjugate_gradient_solves_a_dense_system(module_of):
    module = module_of("trpo/cartpole", "optimizer.trust_region.cg_iterations=60")
    generator = torch.Generator().manual_seed(5)
    root = torch.randn(20, 20, generator=generator, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(20, dtype=torch.float64)
    b = torch.randn(20, generator=generator, dtype=torch.float64)
    found = module.conjugate_gradient(lambda v: matrix @ v, b)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, b), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("seed", range(8))
def test_every_accepted_step_keeps_the_limit_and_improves(module_of, kind, seed):
    module = module_of(SPECS[kind], *TINY)
    params = random_parameters(module, seed)
    batch = random_batch(module, params, seed + 100)
    learner = module.initial_learner(1)._replace(params=params)
    after, metrics = module.policy_step(learner, batch)
    named = dict(zip(module.POLICY_METRICS, metrics.tolist(), strict=True))
    kl = module.divergence(after.params, params, batch.observations).item()
    assert kl == pytest.approx(named["approx_kl"], abs=1e-12)
    assert kl <= module.KL_LIMIT
    assert named["accepted"] == 1
    assert module.surrogate(after.params, batch)[0] > module.surrogate(params, batch)[0]
    n = actor_size(module)
    assert torch.equal(after.params[n:], params[n:])


def test_without_an_improving_step_the_policy_stays(module_of):
    module = module_of("trpo/cartpole", *TINY, "optimizer.trust_region.backtracks=1")
    params = random_parameters(module, 6)
    batch = random_batch(module, params, 7)
    limit, module.KL_LIMIT = module.KL_LIMIT, 50.0  # far beyond where the quadratic model holds
    try:
        learner = module.initial_learner(1)._replace(params=params)
        after, metrics = module.policy_step(learner, batch)
    finally:
        module.KL_LIMIT = limit
    if not metrics[module.POLICY_METRICS.index("accepted")]:
        assert torch.equal(after.params, params)
    else:
        assert module.surrogate(after.params, batch)[0] > module.surrogate(params, batch)[0]


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("seed", range(3))
def test_the_step_equals_sb3_contribs(module_of, monkeypatch, kind, seed):
    """Policy and critic after one whole update on a shared batch.

    sb3-contrib limits KL(π, π_old) where the paper (eq. 12) has KL(π_old, π): the test turns it
    around. And for a Gaussian it limits the mean over action components, not their sum, which is as
    if limit and damping were A times as large.
    """
    monkeypatch.setattr(trpo, "kl_divergence", lambda new, old: kl_divergence(old, new))
    scale = 6 if kind == "gaussian" else 1
    region = f"optimizer.trust_region={{kl_limit: {0.01 * scale}, damping: {0.1 * scale}}}"
    module = module_of(SPECS[kind], "update.minibatch_size=64", region)
    params = random_parameters(module, seed, torch.float32)
    batch = random_batch(module, params, seed + 10)
    inputs = module.SHAPES["actor.0.weight"][1]
    outputs = module.SHAPES["actor.2.weight"][0]
    actions = Box(-1, 1, (outputs,)) if kind == "gaussian" else Discrete(outputs)
    env = Spaces(Box(-np.inf, np.inf, (inputs,)), actions)
    model = TRPO(
        "MlpPolicy", env, n_steps=B, batch_size=B, device="cpu",
        policy_kwargs={"optimizer_kwargs": {"eps": 1e-5}},
    )  # fmt: skip
    set_parameters(model, module, params)
    fill_buffer(model, batch)
    model.train()

    learner = module.initial_learner(1)._replace(params=params)
    learner, metrics = module.policy_step(learner, batch)
    for _ in range(10):
        learner, _ = module.update(learner, batch, torch.arange(B))
    expected = flat_parameters(model, module)
    assert metrics[module.POLICY_METRICS.index("accepted")] == 1
    moved = (expected - params).abs().max()
    assert (learner.params - expected).abs().max() < 2e-3 * moved


@pytest.mark.parametrize("name", ["trpo/cartpole", "a2c/cartpole", "reinforce/cartpole"])
def test_an_entropy_bonus_adds_its_gradient(module_of, name):
    """The gradients of policy objectives with and without it differ by β ∇H."""
    plain = module_of(name, *(TINY if name[0] == "t" else ()), "losses.entropy.beta=0.0")
    scheduled = "losses.entropy={beta: 0.3, schedule: linear}"
    bonus = module_of(name, *(TINY if name[0] == "t" else ()), scheduled)
    params = random_parameters(plain, 9)
    generator = torch.Generator().manual_seed(0)
    columns = {
        "observations": torch.randn(B, 4, generator=generator).double(),
        "actions": torch.randint(2, (B,), generator=generator),
        "weights": torch.ones(B).double(),
    }
    batch = plain.Batch(
        *(columns.get(field, torch.zeros(B).double()) for field in plain.Batch._fields)
    )

    def objective(module):
        return module.surrogate if hasattr(module, "surrogate") else module.loss

    def entropy(params):
        p = plain.runtime.unflatten(params, plain.SHAPES)
        logits = plain.actor(p, batch.observations)
        return torch.distributions.Categorical(logits=logits).entropy().mean()

    sign = 1 if name[0] == "t" else -1
    without = torch.func.grad(lambda x: objective(plain)(x, batch)[0])(params)
    beta = torch.tensor(0.3, dtype=torch.float64)
    found = torch.func.grad(lambda x: objective(bonus)(x, batch, beta)[0])(params)
    torch.testing.assert_close(found - without, sign * 0.3 * torch.func.grad(entropy)(params))


@pytest.mark.parametrize("kind", SPECS)
def test_the_step_waits_for_no_device(module_of, kind):
    module = module_of(SPECS[kind])
    meta = torch.device("meta")
    learner = module.initial_learner(1)
    batch = random_batch(module, learner.params, 8)
    learner = module.TrainState(*(x.to(meta) for x in learner))
    after, metrics = module.policy_step(learner, module.Batch(*(x.to(meta) for x in batch)))
    assert after.params.device == meta
    assert metrics.shape == (4,)


def test_a_compiled_product_gives_the_same_step(module_of):
    module = module_of(SPECS["gaussian"], *TINY)
    params = random_parameters(module, 5)
    batch = random_batch(module, params, 6)
    learner = module.initial_learner(1)._replace(params=params)
    product = compile_step(module.fisher_product, print)
    (found, measured), (expected, known) = (
        module.policy_step(learner, batch, *more) for more in ([product], [])
    )
    torch.testing.assert_close(found.params, expected.params)
    torch.testing.assert_close(measured, known)
    assert not torch.equal(found.params, params)
