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
PLAIN = ("losses.entropy.beta=0.0", "networks.actor.layers=[]", "advantage.gamma=1.0")


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


def estimate(module, params, states, actions, *log_probs):
    """The module's estimate of the gradient from one trajectory, summed over its steps.

    `log_probs` are of the policy that acted, for a module with a buffer.
    """
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
        *log_probs,
    )
    return -STEPS * torch.func.grad(lambda x: module.loss(x, batch)[0])(params)


def off_policy(module, states, actions, behaviour):
    """The log-probabilities of a trajectory under the parameters that acted, [T, 1]."""
    return module.action_log_probs(behaviour, one_hot(states)[:, None], actions[:, None])


def moments(module, params, behaviour=None, *, weigh=True):
    """Expectation and total variance of an estimator, over the actor's parameters.

    With `behaviour`, those are the parameters that acted; the estimator knows it if it may `weigh`.
    """
    actor = sum(np.prod(shape) for name, shape in module.SHAPES.items() if name[0] == "a")
    acting = params if behaviour is None else behaviour
    rows = []
    for s, a in trajectories():
        known = [] if behaviour is None else [off_policy(module, s, a, acting if weigh else params)]
        gradient = estimate(module, params, s, a, *known)[: int(actor)]
        rows.append((probability(module, acting, s, a).item(), gradient))
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


def test_variance_falls_from_return_to_reward_to_go_to_a_baseline_to_gae(module_of):
    """The lecture's order, with a critic that knows the values."""
    modules = [module_of(*ESTIMATORS[name]) for name in ESTIMATORS]
    critic = modules[-1]
    modules.append(module_of(*ESTIMATORS["learned baseline"], "advantage.lambda=0.9"))
    params = policy_parameters(critic)
    p = critic.runtime.unflatten(params, critic.SHAPES)
    weight = torch.zeros_like(p["critic.0.weight"])
    weight[0, :2] = true_values(critic, params)
    p = {**p, "critic.0.weight": weight, "critic.0.bias": torch.zeros(1, dtype=torch.float64)}
    known = critic.runtime.flatten(p, critic.SHAPES)
    variances = []
    for module in modules:
        own = module.runtime.flatten({n: p[n] for n in module.SHAPES}, module.SHAPES)
        knows = "critic.0.weight" in module.SHAPES
        variances.append(moments(module, known if knows else own).variance)
    assert variances[0] > variances[1] > variances[2] > variances[3]


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


@pytest.mark.parametrize("name", ["reinforce-to-go", "a2c", "q-actor-critic"])
def test_unfinished_episodes_teach_nothing(module_of, name):
    module = module_of(f"{name}/cartpole", *PLAIN, "update.sampling=episodes")
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


def test_advantages_are_normalised_over_whole_episodes(module_of):
    """Mean 0 and deviation 1 over the samples that count, the deviation that of the population."""
    module = module_of("reinforce-to-go/cartpole", *PLAIN, "advantage.normalize=true")
    params = policy_parameters(module)
    generator = torch.Generator().manual_seed(4)
    observations = torch.randn(40, 4, generator=generator, dtype=torch.float64)
    actions = torch.randint(2, (40,), generator=generator)
    advantages = 3 + 2 * torch.randn(40, generator=generator, dtype=torch.float64)
    whole = torch.rand(40, generator=generator) < 0.6
    columns = {
        "observations": observations,
        "actions": actions,
        "log_probs": torch.zeros(40).double(),
        "advantages": advantages,
        "weights": whole.double(),
    }
    batch = module.Batch(*(columns[name] for name in module.Batch._fields))
    p = module.runtime.unflatten(params, module.SHAPES)
    log_probs = torch.distributions.Categorical(logits=module.actor(p, observations)).log_prob(
        actions
    )
    counted = advantages[whole]
    normalised = (counted - counted.mean()) / counted.std(correction=0)
    expected = -(log_probs[whole] * normalised).mean()
    torch.testing.assert_close(module.loss(params, batch)[0], expected)


@pytest.mark.parametrize("sampling", ["rollout", "episodes"])
def test_a_mean_baseline_is_that_of_what_counts(module_of, sampling):
    """All action values count; or those in episodes that end, as the first of two does."""
    options = ("advantage.baseline=mean", f"update.sampling={sampling}", "advantage.gamma=0.9")
    module = module_of("q-actor-critic/cartpole", *options)
    params = policy_parameters(module)
    generator = torch.Generator().manual_seed(6)
    observations = torch.randn(6, 2, 4, generator=generator, dtype=torch.float64)
    actions = torch.randint(2, (6, 2), generator=generator)
    never = torch.zeros(6, 2, dtype=torch.bool)
    terminated = never.clone()
    terminated[2, 0] = terminated[4, 1] = True
    whole = torch.tensor([[True] * 3 + [False] * 3, [True] * 5 + [False]]).T
    columns = (observations, actions, torch.ones(6, 2).double())
    batch = module.make_batch(params, *columns, terminated, never, observations)
    values = module.critic(module.runtime.unflatten(params, module.SHAPES), observations, actions)
    counted = values[whole] if sampling == "episodes" else values
    torch.testing.assert_close(batch.advantages, (values - counted.mean()).flatten())


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


PRODUCTS = "update={buffer: {rollouts: 2, importance: products, clip: null}}"
OFF_POLICY = {
    "reward-to-go": ("off-policy/cartpole", *PLAIN, "advantage.baseline=none", PRODUCTS),
    "gae with λ = 1": (*ESTIMATORS["learned baseline"], PRODUCTS),
}


@pytest.mark.parametrize("name", OFF_POLICY)
def test_importance_products_are_unbiased_under_another_policy(module_of, name):
    """Trajectories weighted by the probability that the policy that acted gives them."""
    module = module_of(*OFF_POLICY[name])
    params = policy_parameters(module)
    behaviour = params + 0.5 * torch.randn(len(params), generator=torch.Generator().manual_seed(1))
    found = moments(module, params, behaviour)
    torch.testing.assert_close(found.mean, exact_gradient(module, params)[: found.actor])
    ignored = moments(module, params, behaviour, weigh=False)
    assert not torch.allclose(ignored.mean, found.mean, rtol=0.1)


def test_products_and_rewards_by_hand(module_of):
    """An episode of two steps, then one that does not end; γ = 0.5."""
    module = module_of("off-policy/cartpole", "advantage.gamma=0.5", "update.buffer.clip=5.0")
    ended = torch.tensor([[False], [True], [False], [False]])
    ratios = torch.tensor([[2.0], [3.0], [0.5], [4.0]])
    rewards = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    assert module.importance_products(ratios, ended)[:, 0].tolist() == [2.0, 5.0, 0.5, 2.0]
    # 1 + 0.5·3·2; 2; 4 + 0.5·4·8; 8
    assert module.reward_to_go(rewards, ended, ratios)[:, 0].tolist() == [4.0, 2.0, 20.0, 8.0]


def test_a_ratio_is_to_the_policy_that_acted(module_of):
    module = module_of("ppo-lecture/cartpole")
    params, behaviour = module.initial_parameters(1), module.initial_parameters(2)
    generator = torch.Generator().manual_seed(0)
    observations, following = torch.randn(2, 5, 3, 4, generator=generator)
    actions = torch.randint(2, (5, 3), generator=generator)
    rewards, never = torch.ones(5, 3), torch.zeros(5, 3, dtype=torch.bool)
    log_probs = module.action_log_probs(behaviour, observations, actions)
    batch = module.make_batch(
        params, observations, actions, rewards, never, never, following, log_probs
    )
    torch.testing.assert_close(batch.log_probs, log_probs.flatten())
    p = module.runtime.unflatten(params, module.SHAPES)
    errors = rewards + module.GAMMA * module.critic(p, following) - module.critic(p, observations)
    torch.testing.assert_close(batch.advantages, errors.flatten())


def test_with_true_action_values_the_gradient_is_the_policy_gradient(module_of):
    """Theorem 1 of Sutton et al. (1999), on one decision: E[∇ log π(a|s) Q(s, a)] = ∇ E[r]."""
    module = module_of(
        "q-actor-critic/cartpole", *PLAIN, "networks.critic.layers=[]", "advantage.normalize=false"
    )
    params = policy_parameters(module)
    p = module.runtime.unflatten(params, module.SHAPES)
    weight = torch.zeros(2, 4, dtype=torch.float64)
    weight[:, :2] = REWARD.T
    p = {**p, "critic.0.weight": weight, "critic.0.bias": torch.zeros(2, dtype=torch.float64)}
    params = module.runtime.flatten(p, module.SHAPES)
    states, end = torch.tensor([[0, 1]]), torch.ones(1, 2, dtype=torch.bool)
    total = torch.zeros_like(params)
    for actions in itertools.product((0, 1), repeat=2):
        actions = torch.tensor([actions])
        batch = module.make_batch(
            params, one_hot(states), actions, REWARD[states, actions], end, ~end, one_hot(states)
        )
        torch.testing.assert_close(batch.advantages, REWARD[states, actions][0])
        torch.testing.assert_close(batch.returns, REWARD[states, actions][0])
        chance = module.log_prob(module.actor(p, one_hot(states)), actions).sum().exp()
        total -= 2 * chance * torch.func.grad(lambda x, b=batch: module.loss(x, b)[0])(params)

    def mean_reward(params):
        p = module.runtime.unflatten(params, module.SHAPES)
        return (module.actor(p, one_hot(states[0])).softmax(-1) * REWARD).sum()

    torch.testing.assert_close(total[:10], torch.func.grad(mean_reward)(params)[:10])


def test_action_values_bootstrap_from_the_policys_next_action(module_of):
    """Discrete actions in expectation; continuous ones by a sample, whose mean is the same."""
    module = module_of("q-actor-critic/cartpole", "advantage.gamma=0.9")
    params = policy_parameters(module)
    p = module.runtime.unflatten(params, module.SHAPES)
    observations, following = torch.randn(2, 6, 1, 4, dtype=torch.float64)
    actions = torch.randint(2, (6, 1))
    rewards = torch.randn(6, 1, dtype=torch.float64)
    terminated = torch.arange(6)[:, None] == 2
    truncated = torch.arange(6)[:, None] == 4
    batch = module.make_batch(
        params, observations, actions, rewards, terminated, truncated, following
    )
    chances = module.actor(p, following).softmax(-1)
    both = [module.critic(p, following, torch.full((6, 1), a)) for a in (0, 1)]
    expected = (chances * torch.stack(both, -1)).sum(-1)
    target = rewards + 0.9 * torch.where(terminated, 0, expected)
    torch.testing.assert_close(batch.returns, target.flatten())

    gaussian = module_of("q-actor-critic/cartpole", "env.id=Pendulum-v1", "advantage.gamma=0.9")
    params = policy_parameters(gaussian)
    p = gaussian.runtime.unflatten(params, gaussian.SHAPES)
    observations, following = torch.randn(2, 6, 1, 3, dtype=torch.float64)
    actions, noise = torch.randn(2, 6, 1, 1, dtype=torch.float64)
    batch = gaussian.make_batch(
        params, observations, actions, rewards, terminated, truncated, following, noise
    )
    taken = gaussian.actor(p, following) + p["log_std"].exp() * noise
    later = gaussian.critic(p, following, taken)
    target = rewards + 0.9 * torch.where(terminated, 0, later)
    torch.testing.assert_close(batch.returns, target.flatten())
    acted = gaussian.critic(p, observations, actions).flatten()
    torch.testing.assert_close(batch.advantages, acted)
