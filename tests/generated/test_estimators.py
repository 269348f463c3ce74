"""Estimators of the policy gradient against the exact gradient of a small enumerated MDP.

Two states, two actions, four steps: every trajectory is listed with its probability, so the
expectation and the variance of an estimator are sums, not samples.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

STEPS = 4
REWARD = torch.tensor([[1.0, -0.5], [2.0, 0.3]], dtype=torch.float64)  # [state, action]
TO_SECOND = torch.tensor([[0.2, 0.7], [0.6, 0.1]], dtype=torch.float64)  # P(next = 1 | s, a)
PLAIN = ("networks.actor.layers=[]", "advantage.gamma=1.0")


def one_hot(states):
    """CartPole has four components; the first two tell the states apart."""
    return torch.eye(4, dtype=torch.float64)[states]


def policy_parameters(module):
    generator = torch.Generator().manual_seed(0)
    size = sum(int(np.prod(shape)) for shape in module.SHAPES.values())
    return torch.randn(size, generator=generator, dtype=torch.float64)


def trajectories():
    """Every (states, actions), each of STEPS steps from state 0."""
    for later in itertools.product((0, 1), repeat=STEPS - 1):
        for actions in itertools.product((0, 1), repeat=STEPS):
            yield torch.tensor((0, *later)), torch.tensor(actions)


def probability(module, params, states, actions):
    p = module.runtime.unflatten(params, module.SHAPES)
    log_probs = module.log_prob(module.actor(p, one_hot(states)), actions)
    ahead = TO_SECOND[states[:-1], actions[:-1]]
    moves = torch.where(states[1:] == 1, ahead, 1 - ahead)
    return log_probs.sum().exp() * moves.prod()


def exact_gradient(module, params):
    """∇ Σ_τ p(τ) R(τ)."""

    def objective(params):
        return sum(
            probability(module, params, s, a) * REWARD[s, a].sum() for s, a in trajectories()
        )

    return torch.func.grad(objective)(params)


def estimate(module, params, states, actions):
    """The module's estimate of the gradient from one trajectory, summed over its steps."""
    ended = torch.zeros(STEPS, 1, dtype=torch.bool)
    terminated = ended.clone()
    terminated[-1] = True
    following = torch.cat([states[1:], states[:1]])
    batch = module.make_batch(
        params,
        one_hot(states)[:, None],
        actions[:, None],
        REWARD[states, actions][:, None],
        terminated,
        ended,
        one_hot(following)[:, None],
    )
    return -STEPS * torch.func.grad(lambda x: module.loss(x, batch)[0])(params)


def moments(module, params):
    """Expectation and total variance of an estimator, over the actor's parameters."""
    actor = sum(np.prod(shape) for name, shape in module.SHAPES.items() if name[0] == "a")
    rows = [
        (probability(module, params, s, a).item(), estimate(module, params, s, a)[: int(actor)])
        for s, a in trajectories()
    ]
    assert sum(p for p, _ in rows) == pytest.approx(1)
    mean = sum(p * g for p, g in rows)
    variance = sum(p * ((g - mean) ** 2).sum() for p, g in rows)
    return SimpleNamespace(mean=mean, variance=variance.item(), actor=int(actor))


ESTIMATORS = {
    "return": ("reinforce/cartpole", *PLAIN),
    "reward-to-go": ("reinforce-to-go/cartpole", *PLAIN),
    "learned baseline": (
        "reinforce-baseline/cartpole",
        *PLAIN,
        "networks.critic.layers=[]",
        "losses.value.coefficient=0.0",
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_of_an_estimator_is_the_policy_gradient(module_of, name):
    module = module_of(*ESTIMATORS[name])
    params = policy_parameters(module)
    found = moments(module, params)
    torch.testing.assert_close(found.mean, exact_gradient(module, params)[: found.actor])


def true_values(module, params):
    """V(s) averaged over the steps left, which is the best a critic of the state can know here."""
    p = module.runtime.unflatten(params, module.SHAPES)
    chance = module.actor(p, one_hot(torch.tensor([0, 1]))).softmax(-1)
    values, total = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for _ in range(STEPS):
        following = values[0] * (1 - TO_SECOND) + values[1] * TO_SECOND
        values = (chance * (REWARD + following)).sum(-1)
        total += values
    return total / STEPS


def test_variance_falls_from_return_to_reward_to_go_to_a_baseline(module_of):
    """The lecture's order, with a critic that knows the values."""
    modules = [module_of(*ESTIMATORS[name]) for name in ESTIMATORS]
    critic = modules[-1]
    params = policy_parameters(critic)
    p = critic.runtime.unflatten(params, critic.SHAPES)
    weight = torch.zeros_like(p["critic.0.weight"])
    weight[0, :2] = true_values(critic, params)
    p = {**p, "critic.0.weight": weight, "critic.0.bias": torch.zeros(1, dtype=torch.float64)}
    known = critic.runtime.flatten(p, critic.SHAPES)
    variances = []
    for module in modules:
        own = module.runtime.flatten({n: p[n] for n in module.SHAPES}, module.SHAPES)
        variances.append(moments(module, known if module is critic else own).variance)
    assert variances[0] > variances[1] > variances[2]


def test_returns_by_hand(module_of):
    """Two episodes, of which the second does not end; γ = 0.5."""
    module = module_of("reinforce/cartpole", "advantage.gamma=0.5")
    rewards = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    ended = torch.tensor([[False], [True], [False], [False]])
    assert module.reward_to_go(rewards, ended)[:, 0].tolist() == [2.0, 2.0, 8.0, 8.0]
    assert module.episode_returns(rewards, ended)[:, 0].tolist() == [2.0, 2.0, 8.0, 8.0]
    assert module.finished(ended)[:, 0].tolist() == [True, True, False, False]
    longer = torch.tensor([[False], [False], [True], [False]])
    assert module.reward_to_go(rewards, longer)[:, 0].tolist() == [3.0, 4.0, 4.0, 8.0]
    assert module.episode_returns(rewards, longer)[:, 0].tolist() == [3.0, 3.0, 3.0, 8.0]


def test_unfinished_episodes_teach_nothing(module_of):
    module = module_of("reinforce-to-go/cartpole", *PLAIN)
    params = policy_parameters(module)
    generator = torch.Generator().manual_seed(1)
    observations = torch.randn(6, 2, 4, generator=generator, dtype=torch.float64)
    actions = torch.randint(2, (6, 2), generator=generator)
    rewards = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    truncated = torch.zeros(6, 2, dtype=torch.bool)
    terminated = truncated.clone()
    terminated[2] = True

    def gradient(rewards):
        inputs = (observations, actions, rewards, terminated, truncated, observations)
        batch = module.make_batch(params, *inputs)
        return torch.func.grad(lambda x: module.loss(x, batch)[0])(params)

    changed = rewards.clone()
    changed[3:] += 100
    torch.testing.assert_close(gradient(rewards), gradient(changed))
    changed[:3] += 100
    assert not torch.allclose(gradient(rewards), gradient(changed))


def test_a_rollout_without_a_whole_episode_changes_nothing(module_of):
    module = module_of("reinforce-mean-baseline/cartpole")
    learner = module.initial_learner(1)
    columns = torch.zeros(4, 2, 4), torch.zeros(4, 2, dtype=torch.int64), torch.ones(4, 2)
    never = torch.zeros(4, 2, dtype=torch.bool)
    batch = module.make_batch(learner.params, *columns, never, never, columns[0])
    after, metrics = module.update(learner, batch, torch.arange(8))
    torch.testing.assert_close(after.params, learner.params)
    assert torch.isfinite(metrics).all()


@pytest.mark.parametrize(("lam", "steps"), [(0.0, 1), (1.0, 5)])
def test_gae_special_cases_are_td_errors_and_returns_minus_values(module_of, lam, steps):
    module = module_of("a2c/cartpole", f"advantage.lambda={lam}", "advantage.gamma=0.9")
    generator = torch.Generator().manual_seed(2)
    rewards, values = (torch.randn(5, 3, generator=generator).double() for _ in range(2))
    last = torch.randn(1, 3, generator=generator).double()
    following = torch.cat([values[1:], last])
    never = torch.zeros(5, 3, dtype=torch.bool)
    found = module.gae(rewards, values, following, never, never)
    if lam == 0:
        torch.testing.assert_close(found, rewards + 0.9 * following - values, rtol=0, atol=1e-12)
    else:
        returns = torch.zeros_like(values)
        total = last[0]
        for t in reversed(range(steps)):
            total = rewards[t] + 0.9 * total
            returns[t] = total
        torch.testing.assert_close(found, returns - values, rtol=0, atol=1e-12)
