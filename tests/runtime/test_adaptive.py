"""The rules of the adaptive KL penalty, as its paper states it, and of the adaptive rate."""

import pytest

from ppoc.runtime.learning.adaptive import follow_kl


@pytest.mark.parametrize(
    ("kl", "factor"), [(0.02, 2.0), (0.0151, 2.0), (0.01, 1.0), (0.007, 1.0), (0.006, 0.5)]
)
def test_the_papers_rule(kl, factor):
    """d > 1.5 target: β ← 2β; d < target / 1.5: β ← β / 2 (Schulman et al. 2017, section 4)."""
    assert follow_kl(kl, 0.01, rise=2.0, slack=1.5) == factor


@pytest.mark.parametrize(
    ("kl", "factor"), [(0.021, 1 / 1.5), (0.0199, 1.0), (0.0051, 1.0), (0.0049, 1.5)]
)
def test_a_rate_stays_within_a_wider_band(kl, factor):
    """It falls where a step went beyond twice its target, and rises below half of it."""
    assert follow_kl(kl, 0.01, rise=1 / 1.5, slack=2.0) == factor
