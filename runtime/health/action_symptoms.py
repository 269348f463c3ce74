"""Symptoms of the actions that a policy takes."""

from collections.abc import Sequence

from ppoc.runtime.health.findings import Change, introduced
from ppoc.runtime.health.settings import Settings
from ppoc.runtime.health.symptom import Symptom
from ppoc.runtime.health.trend import Row, Trend

AT_BOUND = 0.95  # of the actions


def _stuck(row: Row, trend: Trend) -> bool:
    return row["actions_at_bound"] > AT_BOUND and not trend.improved


def _other_actions(settings: Settings) -> Sequence[Change]:
    """Changes that keep actions off a bound: units of their own, or a distribution within it."""
    return [
        *introduced(settings, "networks.actor.action_scaling", "bounds", unset="none"),
        *introduced(settings, "networks.actor.distribution", "beta", unset="gaussian"),
    ]


STUCK = Symptom(
    "stuck-at-bound",
    "actions_at_bound",
    10,
    _stuck,
    "{value} of an action's values are at one of its bounds, and returns have not improved",
    "What a Gaussian gives beyond a bound is clipped to it, so that all of it earns the same, and "
    "nothing says which way is better.",
    _other_actions,
    "Chou et al. 2017, Improving stochastic policy gradients with the Beta distribution, section 3",
)
