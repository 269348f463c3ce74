"""Finished episodes read off rollouts, against following each environment step by step."""

import math

import numpy as np
import pytest

from ppoc.runtime.evaluation.episodes import Episode, EpisodeTracker


def follow(rewards: np.ndarray, ended: np.ndarray) -> list[Episode]:
    totals, lengths, finished = np.zeros(rewards.shape[1]), np.zeros(rewards.shape[1], int), []
    for r, end in zip(rewards, ended, strict=True):
        totals += r
        lengths += 1
        for env in np.flatnonzero(end):
            finished.append(Episode(totals[env], int(lengths[env])))
            totals[env] = lengths[env] = 0
    return finished


def test_episodes_carry_over_rollouts():
    rng = np.random.default_rng(0)
    rewards, ended = rng.normal(size=(60, 4)), rng.random((60, 4)) < 0.1
    tracker = EpisodeTracker(4, window=7)
    for start in range(0, 60, 12):
        tracker.extend(rewards[start : start + 12], ended[start : start + 12])
    expected = follow(rewards, ended)
    assert tracker.count == len(expected)
    assert [episode.length for episode in tracker.recent] == [e.length for e in expected[-7:]]
    np.testing.assert_allclose([e.total for e in tracker.recent], [e.total for e in expected[-7:]])
    assert tracker.mean_return == pytest.approx(np.mean([e.total for e in expected[-7:]]))
    assert tracker.mean_length == pytest.approx(np.mean([e.length for e in expected[-7:]]))


def test_without_finished_episodes_means_are_nan():
    tracker = EpisodeTracker(2)
    tracker.extend(np.ones((3, 2)), np.zeros((3, 2), bool))
    assert tracker.count == 0
    assert math.isnan(tracker.mean_return)
    assert math.isnan(tracker.mean_length)


def test_several_episodes_of_one_environment_in_one_rollout():
    tracker = EpisodeTracker(1)
    ended = np.array([True, True, False, True, False])[:, None]
    tracker.extend(np.arange(1.0, 6.0)[:, None], ended)
    assert list(tracker.recent) == [Episode(1, 1), Episode(2, 1), Episode(7, 2)]


def test_discarding_keeps_what_finished():
    tracker = EpisodeTracker(1)
    tracker.extend(np.ones((3, 1)), np.array([[True], [False], [False]]))
    tracker.discard_partial()
    tracker.extend(np.ones((2, 1)), np.array([[False], [True]]))
    assert list(tracker.recent) == [Episode(1, 1), Episode(2, 2)]


def test_state_round_trip_continues_exactly():
    rng = np.random.default_rng(1)
    rewards, ended = rng.normal(size=(40, 3)), rng.random((40, 3)) < 0.1
    tracker, resumed = EpisodeTracker(3), EpisodeTracker(3)
    tracker.extend(rewards[:20], ended[:20])
    resumed.extend(rewards[:9], ended[:9] | True)  # to be forgotten, as when a run goes back
    resumed.load(tracker.state())
    for each in (tracker, resumed):
        each.extend(rewards[20:], ended[20:])
    assert list(tracker.recent) == list(resumed.recent)
    assert tracker.count == resumed.count
    with pytest.raises(ValueError, match="episodes of 3 environments for 2"):
        EpisodeTracker(2).load(tracker.state())
