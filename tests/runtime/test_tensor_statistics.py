"""Statistics as tensors, against those in NumPy."""

import math

import numpy as np
import pytest
import torch

from ppoc.runtime.evaluation.episodes import EpisodeTracker
from ppoc.runtime.learning import tensor_statistics
from ppoc.runtime.learning.normalize import ObservationNormalizer, RewardNormalizer

N = 6


def rollouts(seed, lengths=(1, 7, 40, 3, 64)):
    """Rewards [T, N] and ends [T, N] of some rollouts, with many ends, few and none."""
    rng = np.random.default_rng(seed)
    for steps, chance in zip(lengths, (0.2, 0.5, 0.05, 0.0, 0.9), strict=True):
        rewards = rng.normal(3, 2, (steps, N)).astype(np.float32)
        yield rewards, rng.random((steps, N)) < chance


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        value = np.asarray(expected[name])
        assert (tuple(tensor.shape), str(tensor.dtype)[6:]) == (value.shape, str(value.dtype))
        np.testing.assert_allclose(tensor, value, rtol=1e-9, atol=1e-9, err_msg=name)


def test_observations_are_scaled_as_in_numpy():
    rng = np.random.default_rng(0)
    moments, normalizer = tensor_statistics.no_moments(4), ObservationNormalizer(4, clip=2.0)
    for steps in (0, 1, 30, 200):
        batch = rng.normal([0, 5, -3, 100], [1, 0.1, 20, 3], (steps, N, 4)).astype(np.float32)
        if steps:
            moments = moments.merge(torch.from_numpy(batch))
            normalizer.update(batch)
        probe = rng.normal(0, 60, (9, 4)).astype(np.float32)
        scaled = tensor_statistics.standardize(torch.from_numpy(probe), moments.scaling(), 2.0)
        np.testing.assert_allclose(scaled, normalizer(probe), rtol=1e-6, atol=1e-6)
        assert scaled.dtype == torch.float32
        assert_same(moments._asdict(), normalizer.state())


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
def test_rewards_are_scaled_as_in_numpy(gamma):
    scale, normalizer = tensor_statistics.no_reward_scale(N), RewardNormalizer(N, gamma, clip=1.5)
    for index, (rewards, ended) in enumerate(rollouts(1)):
        if index == 2:
            scale = scale.without_partial()
            normalizer.reset_returns()
        scale, scaled = scale.scale(torch.from_numpy(rewards), torch.from_numpy(ended), gamma, 1.5)
        assert scaled.dtype == torch.float32
        np.testing.assert_allclose(scaled, normalizer(rewards, ended), rtol=1e-6)
        assert_same(scale._asdict(), normalizer.state())


def test_episodes_are_followed_as_in_numpy():
    episodes, tracker = tensor_statistics.no_episodes(N), EpisodeTracker(N)
    assert all(math.isnan(mean) for mean in episodes.means())
    for index, (rewards, ended) in enumerate(rollouts(2)):
        if index == 2:
            episodes = episodes.without_partial()
            tracker.discard_partial()
        episodes = episodes.extend(torch.from_numpy(rewards), torch.from_numpy(ended))
        tracker.extend(rewards, ended)
        assert_same(episodes.state(), tracker.state())
        if tracker.count:
            assert episodes.means() == pytest.approx((tracker.mean_return, tracker.mean_length))
        loaded = tensor_statistics.load_episodes(tracker.state())
        assert_same(loaded.state(), tracker.state())
        assert loaded.means() == pytest.approx(episodes.means(), nan_ok=True)
    assert tracker.count > tensor_statistics.WINDOW
