"""Evaluation plays a fixed set of episodes, whatever their lengths."""

import gymnasium
import numpy as np
import pytest

from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.envs.vector import Step
from ppoc.runtime.evaluation.evaluate import (
    RecurrentPolicy,
    Terms,
    describe,
    evaluate,
    evaluate_policy,
)


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

    def restart(self, where: np.ndarray, observations: np.ndarray) -> np.ndarray:
        for env in np.flatnonzero(where):
            self.elapsed[env] = 0
            self.episode[env] += 1
        return observations

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
    returns, lengths, cut = evaluate(still, Scripted([[1], [10]]), episodes=6, seed=0)
    assert lengths.tolist() == [1, 10, 1, 10, 1, 10]
    assert returns.tolist() == [0.5, 5, 0.5, 5, 0.5, 5]
    assert (returns.dtype, lengths.dtype) == (np.float64, np.int64)
    assert not cut.any()


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
    returns, lengths, _ = evaluate(lean, envs, episodes=7, seed=4)
    expected = np.zeros(7)
    for index in range(3):
        env = gymnasium.make("CartPole-v1", max_episode_steps=200)
        for number, episode in enumerate(range(index, 7, 3)):
            observation, _ = env.reset(seed=episode_seed(4, index, number))
            done = False
            while not done:
                action = lean(np.float32(observation)[None])[0]
                observation, reward, terminated, truncated, _ = env.step(action)
                expected[episode] += reward
                done = terminated or truncated
    np.testing.assert_array_equal(returns, expected)
    np.testing.assert_array_equal(lengths, expected)


def test_an_episode_that_does_not_end_is_cut():
    """It counts with its return so far, and another begins; an end at the last step is none."""
    envs = Scripted([[10**9, 2], [4, 3], [5, 6]])
    returns, lengths, cut = evaluate(still, envs, episodes=8, seed=0, max_steps=4)
    assert lengths.tolist() == [4, 4, 4, 2, 3, 4, 4, 4]
    assert returns.tolist() == [x / 2 for x in lengths]
    assert cut.tolist() == [True, False, True, False, False, True, True, False]


def test_a_memory_is_lost_where_an_episode_is_cut():
    seen = []

    def act(observations, starts, state):
        seen.append(starts.tolist())
        return still(observations), state

    evaluate(RecurrentPolicy(act), Scripted([[9], [2]]), episodes=4, seed=0, max_steps=3)
    begun = [(True, True), (False, False), (False, True), (True, False), (False, True)]
    assert seen == [*map(list, begun), [False, False]]


def test_a_summary_says_what_was_cut():
    summary = evaluate_policy(lambda n: Scripted([[9], [2]]), still, Terms(4, 3, 2), seed=0)
    assert (summary.cut, summary.cut_after) == (2, 3)
    assert describe(summary).endswith("over 4 episodes, of which 2 were cut after 3 steps")
    one = describe(summary._replace(cut=1, cut_after=27_000))
    assert one.endswith("of which 1 was cut after 27,000 steps")
    whole = evaluate_policy(lambda n: Scripted([[3], [2]]), still, Terms(4, 3, 2), seed=0)
    assert (whole.cut, whole.cut_after) == (0, 0)
    assert describe(whole).endswith("over 4 episodes")


def test_no_more_environments_than_episodes_or_than_are_allowed():
    made = []

    def make_envs(count):
        made.append(count)
        return Scripted([[1]] * count)

    for terms in (Terms(4, 9, 2), Terms(3, 9, 8)):
        evaluate_policy(make_envs, still, terms, seed=0)
    assert made == [2, 3]


@pytest.mark.parametrize(
    ("env_id", "backend"),
    [("CartPole-v1", "gymnasium"), ("CartPole-v1", "envpool"), ("CartPole-v1", "torch")],
)
def test_some_environments_begin_anew_while_others_go_on(env_id, backend):
    envs, others = (make(env_id, 3, backend=backend, step_timeout=60) for _ in range(2))
    first, _ = envs.reset(3), others.reset(3)
    for _ in range(3):
        observations = envs.step(np.ones(3, np.int64)).observations
        others.step(np.ones(3, np.int64))
    where = np.array([False, True, False])
    fresh = envs.restart(where, observations)
    np.testing.assert_array_equal(fresh[~where], observations[~where])
    assert np.abs(fresh[1]).max() <= 0.05
    assert not np.array_equal(fresh[1], first[1])
    after = envs.step(np.ones(3, np.int64)).observations
    expected = others.step(np.ones(3, np.int64)).observations
    np.testing.assert_array_equal(after[~where], expected[~where])
    assert np.abs(after[1] - fresh[1]).max() < 0.5
    envs.close()
    others.close()
