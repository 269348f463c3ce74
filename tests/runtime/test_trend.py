"""How a run goes: its start, its best and its share done, by hand."""

import math

import pytest

from ppoc.runtime.health.trend import Trend


def taken(returns, total=800):
    """The trend of iterations of 100 steps with such returns, judged by means of two."""
    trend = Trend({}, total=total, averaged=2)
    for number, value in enumerate(returns, start=1):
        trend.take(100 * number, {"episode_return": value, "loss": 2.0 * number})
    return trend


def test_start_spread_best_and_now():
    trend = taken([math.nan, 1.0, 3.0, 9.0, 5.0, 1.0])
    assert (trend.started, trend.spread) == (2, 1)
    assert (trend.best, trend.now) == (7, 3)
    assert trend.iterations == 6
    assert trend.first == {"episode_return": 1.0, "loss": 2.0}


def test_progress_is_the_share_of_the_steps():
    assert taken([]).progress == 0
    assert taken([1.0, 2.0]).progress == pytest.approx(0.25)
    assert taken([1.0, 2.0], total=0).progress == 0  # of nobody knows how many


def test_a_rise_is_beyond_the_spread_and_a_share_of_the_start():
    """Returns of 99 and 101 have a mean of 100 and a spread of 1."""
    assert not taken([99.0, 101.0, 100.5]).rose()
    assert not taken([99.0, 101.0, 108.9]).rose()  # a mean of 104.95
    assert taken([99.0, 101.0, 109.1]).improved  # 105.05
    assert taken([99.0, 101.0, 102.0]).rose(spreads=1.4, share=0)  # 101.5
    assert not taken([99.0, 101.0, 102.0]).rose(spreads=1.6, share=0)
    assert not taken([5.0, -5.0, 14.0]).rose()  # a mean of 4.5, with a spread of 5
    assert not taken([-99.0, -101.0, -91.2]).rose()  # 3.9 higher
    assert taken([-99.0, -101.0, -88.0]).rose()  # 5.5 higher
