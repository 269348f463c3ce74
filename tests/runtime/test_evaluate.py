"""Evaluation plays a fixed set of episodes, whatever their lengths."""

import gymnasium
import numpy as np
import pytest

from ppoc.runtime.envs import Step, make
from ppoc.runtime.evaluate import evaluate


class Scripted:
    """Environment i plays episodes of the given lengths; each step rewards 0.5."""

    observation_space = action_space = gymnasium.spaces.Discrete(1)

    def __init__(self, lengths: list[list[int]]) -> None:
        self.num_envs = len(lengths)
        self.lengths = lengths

    def reset(self, seed: int) -> np.ndarray:
        self.episode = [0] * self.num_envs
        self.elapsed = [0] * self.num_envs
        return np.zeros((self.num_envs, 1), np.float32)

    def step(self, actions: np.ndarray) -> Step:
        ended = np.zeros(self.num_envs, bool)
        for env, lengths in enumerate(self.lengths):
            self.elapsed[env] += 1
            if self.elapsed[env] == lengths[self.episode[env] % len(lengths)]:
                ended[env] = True
                self.elapsed[env] = 0
                self.episode[env] += 1
        observations = np.zeros((self.num_envs, 1), np.float32)
        cut = ended & (np.arange(self.num_envs) % 2 == 1)
        rewards = np.full(self.num_envs, 0.5, np.float32)
        return Step(observations, rewards, ended & ~cut, cut, observations)

    def close(self) -> None:
        pass


def still(observations: np.ndarray) -> np.ndarray:
    return np.zeros(len(observations), np.int64)


def test_short_episodes_are_not_preferred():
    returns, lengths = evaluate(still, Scripted([[1], [10]]), episodes=6, seed=0)
    assert lengths.tolist() == [1, 10, 1, 10, 1, 10]
    assert returns.tolist() == [0.5, 5, 0.5, 5, 0.5, 5]
    assert (returns.dtype, lengths.dtype) == (np.float64, np.int64)


@pytest.mark.parametrize(
    ("episodes", "expected"),
    [(1, [2]), (2, [2, 5]), (4, [2, 5, 1, 3]), (5, [2, 5, 1, 3, 4])],
)
def test_quotas(episodes, expected):
    envs = Scripted([[2, 3], [5, 4], [1, 9]])
    assert evaluate(still, envs, episodes, seed=0)[1].tolist() == expected


def test_equals_playing_each_environment_alone():
    def lean(observations: np.ndarray) -> np.ndarray:
        return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)

    envs = make("CartPole-v1", 3, backend="gymnasium", max_episode_steps=200)
    returns, lengths = evaluate(lean, envs, episodes=7, seed=4)
    expected = np.zeros(7)
    for index in range(3):
        env = gymnasium.make("CartPole-v1", max_episode_steps=200)
        observation, _ = env.reset(seed=4 + index)
        for episode in range(index, 7, 3):
            done = False
            while not done:
                action = lean(np.float32(observation)[None])[0]
                observation, reward, terminated, truncated, _ = env.step(action)
                expected[episode] += reward
                done = terminated or truncated
            observation, _ = env.reset()
    np.testing.assert_array_equal(returns, expected)
    np.testing.assert_array_equal(lengths, expected)
