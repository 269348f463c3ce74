"""How far a trust region goes: its line search, against one written out with dense algebra."""

from typing import NamedTuple

import pytest
import torch
from torch.distributions import Categorical, Independent, Normal, kl_divergence

B, DAMPING, ITERATIONS = 64, 1e-3, 400  # enough iterations to solve for the direction
SPECS = {
    "gaussian": "trpo/halfcheetah",
    "categorical": "trpo/cartpole",
    "a2c": "a2c-trust-region/cartpole",
}


def distribution(module, params, observations):
    """π(·|s) of parameters [P] for observations [B, O]."""
    p = module.runtime.unflatten(params, module.SHAPES)
    output = module.actor(p, observations)
    if "log_std" in p:
        normal = Normal(output, p["log_std"].exp(), validate_args=False)
        return Independent(normal, 1, validate_args=False)
    return Categorical(logits=output, validate_args=False)


def situation(module, seed):
    """Parameters [P], and a batch of random advantages that their policy collected."""
    generator = torch.Generator().manual_seed(seed)
    options = {"generator": generator, "dtype": torch.float64}
    size = sum(torch.Size(shape).numel() for shape in module.SHAPES.values())
    params = 0.3 * torch.randn(size, **options)
    observations = torch.randn(B, module.SHAPES["actor.0.weight"][1], **options)
    policy = distribution(module, params, observations)
    if isinstance(policy, Categorical):
        actions = torch.multinomial(policy.probs, 1, generator=generator).squeeze(-1)
    else:
        actions = torch.normal(policy.mean, policy.stddev, generator=generator)
    advantages, returns = torch.randn(2, B, **options)
    log_probs = policy.log_prob(actions)
    return params, module.Batch(observations, actions, log_probs, advantages, returns)


class Candidate(NamedTuple):
    params: torch.Tensor
    kl: float
    improves: bool


def candidates(module, params, batch):
    """Every step that the line search may try, from the full one on, without any of its code."""
    old = distribution(module, params, batch.observations)

    def kl(new):
        return kl_divergence(old, distribution(module, new, batch.observations)).mean()

    def gain(new):
        log_probs = distribution(module, new, batch.observations).log_prob(batch.actions)
        return ((log_probs - batch.log_probs).exp() * batch.advantages).mean()

    start = params.clone().requires_grad_()
    (slope,) = torch.autograd.grad(gain(start), start)
    curvature = torch.autograd.functional.hessian(kl, params) + DAMPING * torch.eye(len(params))
    direction = torch.linalg.solve(curvature, slope)
    full = (2 * module.KL_LIMIT / (direction @ curvature @ direction)).sqrt() * direction
    steps = [params + 0.8**k * full for k in range(module.BACKTRACKS)]
    return [Candidate(x, kl(x).item(), bool(gain(x) > gain(params))) for x in steps]


def found_and_tried(module_of, kind, seed, limit, backtracks=10):
    """Parameters before and after `policy_step`, its metrics by name, and what there was to try."""
    region = (
        f"optimizer.trust_region={{kl_limit: {limit}, damping: {DAMPING}, "
        f"cg_iterations: {ITERATIONS}, backtracks: {backtracks}, backtrack_ratio: 0.8}}"
    )
    tiny = ("networks.actor.layers=[5]", "networks.critic.layers=[5]")
    module = module_of(SPECS[kind], *tiny, "advantage.normalize=false", region)
    params, batch = situation(module, seed)
    learner = module.initial_learner(1)._replace(params=params)
    after, metrics = module.policy_step(learner, batch)
    named = dict(zip(module.POLICY_METRICS, metrics.tolist(), strict=True))
    return params, after.params, named, candidates(module, params, batch)


def check_the_longest_is_taken(params, after, named, tried, limit):
    chosen = next(x for x in tried if x.improves and x.kl <= limit)
    torch.testing.assert_close(after, chosen.params, rtol=1e-6, atol=1e-6)
    assert not torch.equal(after, params)
    assert named["approx_kl"] == pytest.approx(chosen.kl, rel=1e-6)
    assert named["approx_kl"] <= limit
    assert named["accepted"] == 1


@pytest.mark.parametrize("kind", SPECS)
def test_a_full_step_beyond_the_limit_shrinks_until_it_is_within(module_of, kind):
    """Also where it would improve the surrogate: the longest step that does and is within."""
    limit = 0.1
    params, after, named, tried = found_and_tried(module_of, kind, 8, limit)
    assert tried[0].improves
    assert tried[0].kl > limit
    check_the_longest_is_taken(params, after, named, tried, limit)


@pytest.mark.parametrize("kind", ["categorical", "a2c"])
def test_a_step_within_the_limit_shrinks_until_it_improves(module_of, kind):
    limit = 0.1
    params, after, named, tried = found_and_tried(module_of, kind, 5, limit)
    assert any(x.kl <= limit and not x.improves for x in tried)
    check_the_longest_is_taken(params, after, named, tried, limit)


@pytest.mark.parametrize(
    ("kind", "seed", "backtracks", "improve", "within"),
    [
        ("gaussian", 4, 3, True, False),
        ("categorical", 8, 5, True, False),
        ("a2c", 8, 5, True, False),
        ("categorical", 4, 10, False, None),
        ("a2c", 5, 10, False, None),
    ],
)
def test_where_no_step_qualifies_none_is_taken(module_of, kind, seed, backtracks, improve, within):
    """All improve and are beyond the limit; or none improves, some within and some beyond it."""
    limit = 1.0
    params, after, named, tried = found_and_tried(module_of, kind, seed, limit, backtracks)
    assert {x.improves for x in tried} == {improve}
    assert {x.kl <= limit for x in tried} == ({False, True} if within is None else {within})
    assert torch.equal(after, params)
    assert named["approx_kl"] == named["accepted"] == 0
