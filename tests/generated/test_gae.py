"""The generated advantage estimate, against Stable-Baselines3's and by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.buffers import RolloutBuffer


def random_rollout(length, num_envs, seed):
    rng = np.random.default_rng(seed)
    terminated = rng.random((length, num_envs)) < 0.1
    truncated = (rng.random((length, num_envs)) < 0.1) & ~terminated
    numbers = {
        name: rng.standard_normal((length, num_envs)).astype(np.float64)
        for name in ("rewards", "values", "final_values")
    }
    last_values = rng.standard_normal(num_envs)
    return SimpleNamespace(
        **numbers, terminated=terminated, truncated=truncated, last_values=last_values
    )


def true_next_values(rollout):
    following = np.concatenate([rollout.values[1:], rollout.last_values[None]])
    return np.where(rollout.terminated | rollout.truncated, rollout.final_values, following)


def sb3_advantages(rollout, gamma, lam):
    """Stable-Baselines3's, which adds γ V(final) to the reward where an episode was truncated."""
    length, num_envs = rollout.rewards.shape
    space = Box(-1, 1, (1,))
    buffer = RolloutBuffer(length, space, space, gae_lambda=lam, gamma=gamma, n_envs=num_envs)
    ended = rollout.terminated | rollout.truncated
    buffer.rewards = rollout.rewards + gamma * rollout.truncated * rollout.final_values
    buffer.values = rollout.values.copy()
    buffer.advantages = np.zeros_like(rollout.values)
    buffer.episode_starts = np.concatenate([np.zeros((1, num_envs)), ended[:-1]]).astype(float)
    buffer.compute_returns_and_advantage(torch.as_tensor(rollout.last_values), ended[-1])
    return buffer.advantages


def advantages_of(module, rollout):
    next_values = true_next_values(rollout)
    arrays = (rollout.rewards, rollout.values, next_values, rollout.terminated, rollout.truncated)
    return module.gae(*(torch.as_tensor(array) for array in arrays)).numpy()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("gamma", "lam"), [(0.99, 0.95), (0.9, 0.0), (1.0, 1.0), (0.98, 0.8)])
def test_equals_stable_baselines3(module_of, seed, gamma, lam):
    module = module_of("ppo/halfcheetah", f"advantage.gamma={gamma}", f"advantage.lambda={lam}")
    rollout = random_rollout(64, 5, seed)
    expected = sb3_advantages(rollout, gamma, lam)
    np.testing.assert_allclose(advantages_of(module, rollout), expected, rtol=0, atol=1e-6)


def test_a_truncation_bootstraps_and_a_termination_does_not(module_of):
    module = module_of("ppo/halfcheetah", "advantage.gamma=0.5", "advantage.lambda=0.5")
    rollout = SimpleNamespace(
        rewards=np.array([[1.0], [2.0], [4.0]]),
        values=np.array([[10.0], [20.0], [30.0]]),
        final_values=np.array([[0.0], [100.0], [1000.0]]),
        terminated=np.array([[False], [False], [True]]),
        truncated=np.array([[False], [True], [False]]),
        last_values=np.array([7.0]),
    )
    second = 2 + 0.5 * 100 - 20
    first = 1 + 0.5 * 20 - 10 + 0.25 * second
    np.testing.assert_allclose(advantages_of(module, rollout)[:, 0], [first, second, 4 - 30])
