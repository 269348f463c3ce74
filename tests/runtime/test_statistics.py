"""Evaluation summaries against rliable and SciPy."""

import numpy as np
import pytest

from ppoc.runtime.evaluation.statistics import interquartile_mean, summarize


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 10, 99, 100])
def test_iqm_equals_rliable_and_scipy(n):
    metrics = pytest.importorskip("rliable.metrics")
    stats = pytest.importorskip("scipy.stats")
    returns = np.random.default_rng(n).normal(100, 30, n)
    iqm = summarize(returns).iqm
    assert iqm == pytest.approx(stats.trim_mean(returns, 0.25), rel=1e-12)
    assert iqm == pytest.approx(metrics.aggregate_iqm(returns[:, None]), rel=1e-12)


def test_interquartile_mean_by_hand():
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -50])) == (2 + 3 + 4 + 5) / 4


def test_plain_statistics():
    summary = summarize([1.0, 2.0, 3.0, 6.0])
    assert (summary.episodes, summary.mean, summary.min, summary.max) == (4, 3.0, 1.0, 6.0)
    assert summary.std == pytest.approx(np.std([1, 2, 3, 6]))


def test_interval_is_the_percentile_bootstrap_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    returns = np.random.default_rng(0).gamma(2, 50, 60)
    summary = summarize(returns)
    interval = stats.bootstrap(
        (returns,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = interval.high - interval.low
    assert summary.iqm_low == pytest.approx(interval.low, abs=0.05 * width)
    assert summary.iqm_high == pytest.approx(interval.high, abs=0.05 * width)


def test_equal_returns_give_an_equal_summary():
    returns = np.random.default_rng(0).normal(size=20)
    assert summarize(returns) == summarize(returns.copy())
    constant = summarize(np.full(10, 500.0))
    assert constant.iqm_low == constant.iqm == constant.iqm_high == 500
    assert constant.std == 0


@pytest.mark.parametrize("returns", [[], [[1.0, 2.0]], 3.0])
def test_what_is_not_a_list_of_returns_is_refused(returns):
    with pytest.raises(ValueError, match="returns of one episode or more"):
        summarize(returns)
