"""Differences of means: t distribution, intervals, corrections and seeds, against SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppoc.reporting import student
from ppoc.reporting.differences import difference, floor, holm, least_seeds, seeds_needed

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("freedom", [1, 1.5, 2, 4, 8.3, 30, 1000, 1e6])
def test_the_t_distribution_is_that_of_scipy(freedom):
    for t in (0, 1e-9, 0.1, 1, 2.5, 8, 100, -3):
        expected = 2 * stats.t.sf(abs(t), freedom)
        assert student.two_sided_p(t, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-14)
    for share in (0.5, 0.6, 0.8, 0.975, 0.995, 0.9999):
        expected = stats.t.ppf(share, freedom)
        assert student.quantile(share, freedom) == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("sizes", [(5, 5), (3, 10), (10, 4), (2, 2)])
def test_the_p_value_is_the_larger_of_welch_and_student(sizes):
    rng = np.random.default_rng(sum(sizes))
    ours, theirs = rng.normal(1, 2, sizes[0]), rng.normal(0, 0.5, sizes[1])
    found = difference([ours], [theirs], [1.0])
    tests = [stats.ttest_ind(ours, theirs, equal_var=equal) for equal in (False, True)]
    wider = [test.confidence_interval(0.95) for test in tests]
    assert found.value == pytest.approx(ours.mean() - theirs.mean())
    assert found.p_value() == pytest.approx(
        max(floor(*sizes), *(test.pvalue for test in tests)), rel=1e-9
    )
    half = max(interval.high - interval.low for interval in wider) / 2
    assert found.half_width(0.05) == pytest.approx(half, rel=1e-6)


def test_several_tasks_are_averaged_on_their_scales():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(5, 1, (2, 6)), rng.normal(4, 1, (2, 6))
    ours[1] *= 100
    theirs[1] *= 100
    found = difference(list(ours), list(theirs), [1.0, 100.0])
    plain = difference([ours[0], ours[1] / 100], [theirs[0], theirs[1] / 100], [1.0, 1.0])
    assert found.value == pytest.approx(plain.value)
    assert found.p_value() == pytest.approx(plain.p_value())
    variance = sum(x.var(ddof=1) / 6 for x in (ours[0], theirs[0], ours[1] / 100, theirs[1] / 100))
    assert found.bases[0].variance == pytest.approx(variance / 4)


def test_one_seed_says_nothing():
    found = difference([np.array([500.0])], [np.array([1.0, 2.0, 3.0])], [1.0])
    assert found.p_value() == 1
    assert math.isinf(found.half_width(0.05))
    assert seeds_needed(found, 0.05, 1.0) == least_seeds(0.05) == 3


@pytest.mark.parametrize(("ours", "theirs"), [(2, 2), (3, 3), (3, 10), (5, 5)])
def test_no_luck_of_runs_that_work_or_fail_is_more_likely_than_the_floor(ours, theirs):
    q = np.linspace(0, 1, 1001)
    luck = q**ours * (1 - q) ** theirs + q**theirs * (1 - q) ** ours
    assert luck.max() <= floor(ours, theirs) + 1e-12
    if ours == theirs:
        assert floor(ours, theirs) == pytest.approx(2 / 4**ours)
    apart = difference([np.ones(ours)], [np.zeros(theirs)], [1.0])
    assert apart.p_value() == floor(ours, theirs)


def test_equal_scores_are_no_difference():
    found = difference([np.full(5, 500.0)], [np.full(5, 500.0)], [1.0])
    assert (found.value, found.p_value(), found.half_width(0.05)) == (0, 1, 0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03], 0.05) == pytest.approx([0.05 / 3, 0.05 / 2, 0.05 / 2])
    assert holm([0.01, 0.02, 0.04], 0.05) == pytest.approx([0.05 / 3, 0.05 / 2, 0.05])
    assert holm([0.5], 0.05) == [0.05]
    assert holm([], 0.05) == []


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.2))
def test_holm_claims_what_the_textbook_claims(p_values, level):
    levels = holm(p_values, level)
    claimed = [p <= own for p, own in zip(p_values, levels, strict=True)]
    ranked = sorted(p_values)
    stops = [k for k, p in enumerate(ranked) if p > level / (len(ranked) - k)]
    assert sum(claimed) == (stops[0] if stops else len(ranked))


def test_seeds_needed_give_the_power_they_promise():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1.2, 1, 5), rng.normal(0, 1, 5)
    found = difference([ours], [theirs], [1.0])._replace(value=1.2, spread=2.0)
    wanted = seeds_needed(found, 0.05, 0.0)
    assert 10 <= wanted <= 14
    claims = 0
    for _ in range(400):
        pair = [rng.normal(1.2, 1, wanted)], [rng.normal(0, 1, wanted)]
        claims += difference(*pair, [1.0]).p_value() <= 0.05
    assert 0.72 < claims / 400 < 0.92


def test_a_difference_that_is_none_needs_seeds_until_it_fits_the_margin():
    rng = np.random.default_rng(0)
    found = difference([rng.normal(0, 1, 5)], [rng.normal(0, 1, 5)], [1.0])._replace(
        value=0.0, spread=2.0
    )
    few, many = (seeds_needed(found, 0.05, margin) for margin in (1.0, 0.5))
    assert few < many
    assert seeds_needed(found, 0.05, 1e-6) is None


RNG = np.random.default_rng(7)
SHAPES = {
    "normal": lambda n: RNG.normal(size=n),
    "skewed": lambda n: RNG.lognormal(0, 1.5, n),
    "capped": lambda n: np.minimum(500, RNG.normal(480, 45, n)),
    "work or fail": lambda n: (RNG.random(n) < 0.5) + 0.02 * RNG.normal(size=n),
    "levels": lambda n: RNG.integers(0, 3, n).astype(float),
}


@pytest.mark.parametrize("sizes", [(3, 3), (5, 5), (10, 10), (3, 10)], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_distributions_are_seldom_claimed_to_differ(shape, sizes):
    draw, experiments = SHAPES[shape], 800
    pairs = [([draw(sizes[0])], [draw(sizes[1])]) for _ in range(experiments)]
    claims = sum(difference(*pair, [1.0]).p_value() <= 0.05 for pair in pairs)
    # 5% and three standard errors; benchmarks/results/verdicts.md has more experiments.
    assert claims <= experiments * (0.05 + 3 * math.sqrt(0.05 * 0.95 / experiments))


@pytest.mark.parametrize(("seeds", "effect"), [(3, 8), (5, 4), (10, 2)])
def test_a_large_difference_is_found(seeds, effect):
    pairs = [([RNG.normal(effect, 1, seeds)], [RNG.normal(0, 1, seeds)]) for _ in range(200)]
    assert sum(difference(*pair, [1.0]).p_value() <= 0.05 for pair in pairs) > 180


def test_seeds_in_pairs_are_no_danger():
    """Settings whose equal seeds share their luck are claimed to differ even less often."""
    claims = 0
    for _ in range(400):
        luck = RNG.normal(size=5)
        ours, theirs = (luck + 0.5 * RNG.normal(size=5) for _ in range(2))
        claims += difference([ours], [theirs], [1.0]).p_value() <= 0.05
    assert claims < 10
