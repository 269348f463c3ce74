"""Statistics over seeds and tasks, against rliable, SciPy and values by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ppoc.reporting import aggregates
from ppoc.reporting.aggregates import STATISTICS, estimates, probability_of_improvement

arch = pytest.importorskip("arch.bootstrap")
library = pytest.importorskip("rliable.library")
metrics = pytest.importorskip("rliable.metrics")
SHAPES = [(5, 1), (3, 4), (10, 7), (1, 3), (8, 2)]


def scores_of(shape, seed=0):
    return np.random.default_rng(seed).normal(0.5, 0.4, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_are_those_of_rliable(shape, name):
    scores = scores_of(shape)
    if name == "median" and shape[1] == 1:  # of one task, that of its runs
        expected = np.median(scores)
    else:
        expected = getattr(metrics, f"aggregate_{name}")(scores)
    assert STATISTICS[name](list(scores.T)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[1] > 1])
def test_intervals_are_those_of_rliable_by_the_same_draws(shape):
    scores, resamples = scores_of(shape), 200

    def function(x):
        return np.array([getattr(metrics, f"aggregate_{name}")(x) for name in STATISTICS])

    np.random.seed(3)
    _, intervals = library.get_interval_estimates({"x": scores}, function, reps=resamples)
    np.random.seed(3)
    drawn = np.stack([np.random.choice(shape[0], shape) for _ in range(resamples)])
    ours = aggregates.resampled(list(scores.T), list(np.moveaxis(drawn, 2, 0)))
    for column, statistic in enumerate(STATISTICS.values()):
        found = aggregates.interval(statistic(ours), 0.95)
        assert found == pytest.approx(intervals["x"][:, column], rel=1e-9, abs=1e-12)


def test_intervals_agree_with_rliable_on_other_draws():
    scores = scores_of((10, 5))
    np.random.seed(0)
    _, theirs = library.get_interval_estimates(
        {"x": scores}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=2000
    )
    low, high = theirs["x"][:, 0]
    ours = estimates(list(scores.T), STATISTICS, 0.95)["iqm"]
    assert ours.low == pytest.approx(low, abs=0.1 * (high - low))
    assert ours.high == pytest.approx(high, abs=0.1 * (high - low))


def test_probability_of_improvement_is_that_of_rliable():
    ours, theirs = scores_of((6, 3), 1), scores_of((4, 3), 2) - 0.3
    ours[0], theirs[0] = 0.5, 0.5  # equal scores are half a win
    found = probability_of_improvement(list(ours.T), list(theirs.T), 0.95)
    assert found.value == pytest.approx(metrics.probability_of_improvement(ours, theirs))
    np.random.seed(0)
    _, intervals = library.get_interval_estimates(
        {"x": [ours, theirs]},
        lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
        reps=1000,
    )
    assert found[1:] == pytest.approx(intervals["x"][:, 0], abs=0.03)


def test_a_resample_of_improvement_is_the_improvement_of_the_resample():
    ours, theirs = scores_of((6, 2), 1), scores_of((4, 2), 2)
    wins = [
        np.greater.outer(a, b) + 0.5 * np.equal.outer(a, b)
        for a, b in zip(ours.T, theirs.T, strict=True)
    ]
    indices = next(aggregates.draws([6, 6, 4, 4], 50))
    found = aggregates.improvement_of(wins, indices)
    for row, value in enumerate(found):
        left = [ours[indices[task][row], task] for task in range(2)]
        right = [theirs[indices[2 + task][row], task] for task in range(2)]
        by_hand = np.mean(
            [
                (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
                for a, b in zip(left, right, strict=True)
            ]
        )
        assert value == pytest.approx(by_hand)


def test_profiles_are_those_of_rliable():
    scores, thresholds = scores_of((5, 4)), np.linspace(-0.5, 1.5, 9)
    np.random.seed(0)
    theirs, intervals = library.create_performance_profile({"x": scores}, thresholds, reps=1000)
    ours, ends = aggregates.profile_estimates(list(scores.T), thresholds, 0.95)
    assert ours == pytest.approx(theirs["x"])
    assert ends == pytest.approx(intervals["x"], abs=0.051)  # a run is worth 0.05


def test_draws_are_in_parts_that_fit_memory(monkeypatch):
    scores = [scores_of((7, 2))[:, task] for task in range(2)]
    monkeypatch.setattr(aggregates, "AT_ONCE", 100)
    parts = list(aggregates.draws([7, 7], 50))
    assert [len(part[0]) for part in parts] == [7] * 7 + [1]
    assert estimates(scores, STATISTICS, 0.9, 50)["mean"].low < scores[0].mean() + 1


numbers = st.floats(-100, 100, allow_nan=False, width=32)


@given(arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=numbers))
def test_adding_a_constant_moves_all_but_the_gap(scores):
    tasks = list(scores.T)
    before = estimates(tasks, STATISTICS, 0.95, 100)
    after = estimates([task + 7 for task in tasks], STATISTICS, 0.95, 100)
    for name in ("mean", "median", "iqm"):
        assert np.array(after[name]) - 7 == pytest.approx(np.array(before[name]), abs=1e-6)
        assert before[name].low <= before[name].high


@given(arrays(float, st.integers(1, 8), elements=numbers))
def test_a_setting_against_itself_improves_by_chance(scores):
    assert probability_of_improvement([scores], [scores], 0.95, 50).value == pytest.approx(0.5)
