"""Numbers on two policies, computed by hand and by SciPy."""

import numpy as np
import pytest
from scipy import stats

from ppoc.runtime.rlhf import comparison
from ppoc.runtime.rlhf.comparison import Answers

END = 0


class Letters:
    """A tokenizer of letters."""

    end = END

    def text(self, tokens):
        return "".join(chr(96 + token) for token in tokens if token != END)


def answers(scores, lengths, ended):
    """Responses of lengths, that end by themselves or not, with scores."""
    each = zip(lengths, ended, strict=True)
    responses = [[1] * (n - 1) + [END if by_itself else 2] for n, by_itself in each]
    return Answers(responses, np.array(scores))


def test_a_comparison_by_hand():
    """Two prompts, two answers each: one win of two and a draw; a win and a loss."""
    before = answers([1.0, 2.0, 3.0, 4.0], [1, 2, 3, 4], [True, True, False, True])
    after = answers([1.5, 2.0, 7.0, 3.0], [2, 2, 2, 4], [False, True, False, False])
    kl = np.array([1.0, 2.0, 3.0, 6.0])
    found = comparison._summary(Letters(), [[1], [2, 3]], 2, [before, after], kl)
    assert (found.prompts, found.samples) == (2, 2)
    assert found.before == (2.5, 2.5, 0.75)
    assert found.after == (3.375, 2.5, 0.25)
    assert found.gain == 0.875  # of 0.25 and 1.5
    assert found.win_rate == 0.625  # of 0.75 and 0.5
    assert (found.gain_low, found.gain_high) == (0.25, 1.5)
    assert (found.win_low, found.win_high) == (0.5, 0.75)
    assert found.kl == 3
    assert found.kl_error == pytest.approx(np.std(kl) / 2)
    assert found.examples[0] == ("a", "", "ab", 1.0, 1.5)
    assert found.examples[1] == ("bc", "aab", "ab", 3.0, 7.0)


def test_an_interval_is_the_percentile_bootstrap_of_scipy():
    values = np.random.default_rng(1).gamma(2.0, size=60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=0
    ).confidence_interval
    assert comparison._interval(values) == pytest.approx(tuple(expected), rel=0.02)
