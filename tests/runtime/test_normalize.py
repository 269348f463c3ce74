"""Running statistics against NumPy on everything at once, and against Stable-Baselines3."""

import numpy as np
import pytest
import torch

from ppoc.runtime.learning.normalize import ObservationNormalizer, RewardNormalizer, RunningMeanStd


def batches(rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
    return [rng.normal(3, 5, (size, *shape)) for size in (1, 7, 100, 3)]


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_running_statistics_equal_those_of_all_data(shape):
    data = batches(np.random.default_rng(0), shape)
    statistics = RunningMeanStd(shape)
    for batch in data:
        statistics.update(batch)
    together = np.concatenate(data)
    np.testing.assert_allclose(statistics.mean, together.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.var, together.var(axis=0), rtol=1e-12)
    assert statistics.count == len(together)


def test_running_statistics_equal_stable_baselines3():
    sb3 = pytest.importorskip("stable_baselines3.common.running_mean_std")
    ours, theirs = RunningMeanStd((4,)), sb3.RunningMeanStd(epsilon=0, shape=(4,))
    for batch in batches(np.random.default_rng(1), (4,)):
        ours.update(batch)
        theirs.update(batch)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-12)
    np.testing.assert_allclose(ours.var, theirs.var, rtol=1e-12)


def test_running_statistics_take_leading_dimensions_and_survive_large_offsets():
    batch = np.random.default_rng(2).normal(1e6, 1e-2, (10, 8, 3))
    folded, flat = RunningMeanStd((3,)), RunningMeanStd((3,))
    for part in batch:
        flat.update(part)
    folded.update(batch)
    np.testing.assert_allclose(folded.var, flat.var, rtol=1e-6)
    np.testing.assert_allclose(folded.var, batch.reshape(-1, 3).var(axis=0), rtol=1e-6)


def test_empty_batch_changes_nothing():
    statistics = RunningMeanStd((2,))
    statistics.update(np.empty((0, 2)))
    assert statistics.count == 0
    assert statistics.var.tolist() == [1, 1]


def test_observations_are_only_clipped_before_the_first_update():
    normalize = ObservationNormalizer(3, clip=2.0)
    x = np.array([[0.1, -1.9, 7.0]], np.float32)
    np.testing.assert_array_equal(normalize(x), np.array([[0.1, -1.9, 2.0]], np.float32))


def test_observations_follow_the_formula():
    rng = np.random.default_rng(3)
    data = rng.normal([5, -3, 0], [2, 0.1, 0], (6, 4, 3)).astype(np.float32)
    normalize = ObservationNormalizer(3, clip=1.5)
    normalize.update(data)
    rows = data.reshape(-1, 3).astype(np.float64)
    expected = (data - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-8)
    actual = normalize(data)
    assert actual.dtype == np.float32
    assert normalize(data.astype(np.float64)).dtype == np.float32
    np.testing.assert_allclose(actual, np.clip(expected, -1.5, 1.5), rtol=1e-4, atol=1e-5)
    assert np.abs(actual).max() == 1.5


def test_normalising_leaves_its_input_alone():
    normalize = ObservationNormalizer(2, clip=1.0)
    x = np.full((3, 2), 9.0, np.float32)
    normalize(x)
    assert (x == 9).all()


def test_rewards_equal_vecnormalize_when_its_statistics_have_seen_the_same():
    rng = np.random.default_rng(4)
    gamma, clip = 0.9, 3.0
    rewards = rng.normal(1, 4, (2, 30, 5)).astype(np.float32)
    ended = rng.random((2, 30, 5)) < 0.1
    scale = RewardNormalizer(5, gamma, clip)
    seen = []
    returns = np.zeros(5)
    for rollout, ends in zip(rewards, ended, strict=True):
        for r, end in zip(rollout, ends, strict=True):
            returns = returns * gamma + r
            seen.append(returns.copy())
            returns[end] = 0
        expected = np.clip(rollout / np.sqrt(np.var(seen) + 1e-8), -clip, clip)
        actual = scale(rollout, ends)
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_reset_returns_forgets_the_episode_under_way():
    scale, fresh = RewardNormalizer(1, 0.9, 10.0), RewardNormalizer(1, 0.9, 10.0)
    ones, going = np.ones((3, 1), np.float32), np.zeros((3, 1), bool)
    scale(ones, going)
    state = scale.state()
    scale.reset_returns()
    assert scale.state()["returns"].tolist() == [0]
    assert state["returns"][0] == pytest.approx(1 + 0.9 + 0.81)
    fresh(ones, going)
    fresh.reset_returns()
    np.testing.assert_array_equal(scale(ones, going), fresh(ones, going))


@pytest.mark.parametrize("as_tensors", [False, True])
def test_state_round_trip_continues_exactly(as_tensors):
    rng = np.random.default_rng(5)
    x, r, ended = rng.normal(size=(9, 4, 3)), rng.normal(size=(9, 4)), rng.random((9, 4)) < 0.2
    observe, scale = ObservationNormalizer(3, 10.0), RewardNormalizer(4, 0.99, 10.0)
    observe.update(x)
    scale(r, ended)
    observe_again, scale_again = ObservationNormalizer(3, 10.0), RewardNormalizer(4, 0.99, 10.0)
    for source, copy in ((observe, observe_again), (scale, scale_again)):
        state = source.state()
        copy.load({k: torch.as_tensor(v) for k, v in state.items()} if as_tensors else state)
    np.testing.assert_array_equal(observe(x), observe_again(x))
    np.testing.assert_array_equal(scale(r, ended), scale_again(r, ended))
    observe.update(x)
    observe_again.update(x)
    np.testing.assert_array_equal(observe(x), observe_again(x))


def test_state_of_another_size_is_refused():
    with pytest.raises(ValueError, match="statistics of"):
        ObservationNormalizer(3, 1.0).load(ObservationNormalizer(4, 1.0).state())
    with pytest.raises(ValueError, match="returns of 2 environments for 5"):
        RewardNormalizer(5, 0.9, 1.0).load(RewardNormalizer(2, 0.9, 1.0).state())
