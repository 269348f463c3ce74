"""V-trace against its definition, sum by sum, and against GAE where both policies are one."""

import numpy as np
import pytest
import torch

SPEC = (
    "a2c/cartpole",
    "update.buffer.rollouts=2",
    "advantage.estimator=v-trace",
    "advantage.gamma=0.95",
)
GAMMA = 0.95


def rollout(length, num_envs, seed):
    """Random inputs of an estimator; where no episode ends, the next value is the next one's."""
    rng = np.random.default_rng(seed)
    terminated = rng.random((length, num_envs)) < 0.15
    truncated = (rng.random((length, num_envs)) < 0.15) & ~terminated
    rewards, values, final = rng.standard_normal((3, length, num_envs))
    following = np.concatenate([values[1:], final[-1:]])
    next_values = np.where(terminated | truncated, final, following)
    ratios = np.exp(rng.standard_normal((length, num_envs)))
    return rewards, values, next_values, terminated, truncated, ratios


def by_definition(inputs, lam, rho_clip, c_clip):
    """Espeholt et al. 2018, equation 1 and the policy gradient after it, term by term."""
    rewards, values, next_values, terminated, truncated, ratios = inputs
    length, num_envs = rewards.shape
    targets, advantages = np.empty_like(values), np.empty_like(values)
    for n in range(num_envs):
        for s in range(length):
            total, product, t = values[s, n], 1.0, s
            while True:
                after = 0.0 if terminated[t, n] else next_values[t, n]
                delta = min(rho_clip, ratios[t, n]) * (rewards[t, n] + GAMMA * after - values[t, n])
                total += GAMMA ** (t - s) * product * delta
                if terminated[t, n] or truncated[t, n] or t == length - 1:
                    break
                product *= lam * min(c_clip, ratios[t, n])
                t += 1
            targets[s, n] = total
        for s in range(length):
            cut = terminated[s, n] or truncated[s, n] or s == length - 1
            after = next_values[s, n] if cut else targets[s + 1, n]
            after = 0.0 if terminated[s, n] else after
            rho = min(rho_clip, ratios[s, n])
            advantages[s, n] = rho * (rewards[s, n] + GAMMA * after - values[s, n])
    return advantages, targets


@pytest.mark.parametrize(
    ("lam", "rho_clip", "c_clip"), [(1.0, 1.0, 1.0), (0.9, 2.0, 0.7), (0.0, 1.0, 1.0)]
)
def test_equals_its_definition(module_of, lam, rho_clip, c_clip):
    chosen = {"lambda": lam, "rho_clip": rho_clip, "c_clip": c_clip}
    module = module_of(*SPEC, *(f"advantage.{key}={value}" for key, value in chosen.items()))
    inputs = rollout(24, 5, seed=1)
    found = module.vtrace(*map(torch.as_tensor, inputs))
    for have, expected in zip(found, by_definition(inputs, lam, rho_clip, c_clip), strict=True):
        np.testing.assert_allclose(have.numpy(), expected, rtol=0, atol=1e-12)


def test_targets_are_those_of_gae_where_the_policy_itself_acted(module_of):
    inputs = rollout(32, 4, seed=2)
    *plain, ratios = map(torch.as_tensor, inputs)
    _, targets = module_of(*SPEC, "advantage.lambda=0.9").vtrace(*plain, torch.ones_like(ratios))
    gae = module_of("a2c/cartpole", "advantage.gamma=0.95", "advantage.lambda=0.9").gae(*plain)
    torch.testing.assert_close(targets, gae + plain[1])


def test_a_batch_holds_its_advantages_and_targets(module_of):
    """Ratios are of the policy before the update to the one that acted; nothing else weighs."""
    module = module_of(*SPEC, "advantage.rho_clip=1.5")
    params = module.initial_parameters(3).double()
    generator = torch.Generator().manual_seed(4)
    shape = (6, 2)
    observations, following = torch.randn(2, *shape, 4, generator=generator, dtype=torch.float64)
    actions = torch.randint(2, shape, generator=generator)
    rewards = torch.randn(shape, generator=generator, dtype=torch.float64)
    ended = torch.zeros(shape, dtype=torch.bool)
    behaviour = torch.randn(shape, generator=generator, dtype=torch.float64)
    batch = module.make_batch(
        params, observations, actions, rewards, ended, ended, following, behaviour
    )
    p = module.runtime.unflatten(params, module.SHAPES)
    log_probs = module.log_prob(module.actor(p, observations), actions)
    inputs = (
        rewards,
        module.critic(p, observations),
        module.critic(p, following),
        ended,
        ended,
        (log_probs - behaviour).exp(),
    )
    advantages, targets = module.vtrace(*inputs)
    torch.testing.assert_close(batch.advantages, advantages.flatten())
    torch.testing.assert_close(batch.returns, targets.flatten())
    torch.testing.assert_close(batch.log_probs, log_probs.flatten())
    assert not hasattr(batch, "importance")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("update.buffer=null",), "there is no buffer of them"),
        (("update.buffer.clip=2.0",), "V-trace truncates each ratio"),
        (("update.buffer.importance=ratio",), "one ratio a sample corrects one decision"),
        (("networks.critic=null",), "V-trace needs a critic"),
        (("advantage.baseline=mean",), "V-trace has a baseline already"),
    ],
)
def test_refuses_what_it_does_not_go_with(compiled_of, overrides, message):
    from ppoc.compiler.front.diagnostics import SpecError

    with pytest.raises(SpecError) as caught:
        compiled_of(*SPEC, *overrides)
    assert any(message in found.message for found in caught.value.diagnostics)
