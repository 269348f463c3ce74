"""Symptoms of an unhealthy run: one row each, with threshold, source and what to try.

Sources:
    Dinu 2024: Policy gradients and PPO, RL Bootcamp 2024, its practical advice and troubleshooting.
    Schulman 2016: Nuts and bolts of deep RL research, NIPS 2016 deep RL workshop.
    Huang et al. 2022: The 37 implementation details of proximal policy optimization.
    Andrychowicz et al. 2021: What matters for on-policy deep actor-critic methods?
"""

import math
from collections.abc import Callable

from ppoc.runtime.health import remedies
from ppoc.runtime.health.action_symptoms import STUCK
from ppoc.runtime.health.settings import Settings
from ppoc.runtime.health.symptom import Symptom
from ppoc.runtime.health.trend import Row, Trend

LECTURE = "Dinu 2024, Policy gradients and PPO"
NUTS = "Schulman 2016, Nuts and bolts of deep RL research"
DETAILS = "Huang et al. 2022, The 37 implementation details of PPO, debug variables"
MATTERS = "Andrychowicz et al. 2021, What matters for on-policy deep actor-critic methods?"

LARGE_REWARD = 10
HUGE_REWARD = 1000
EXPLODED_KL = 20.0  # nats: an action that was certain has become one in 500 million
HIGH_KL = 0.3  # usual targets are 0.01 to 0.05
TARGETS = 10  # times its own target, where the spec has a large one
CLIPPED = 0.8
COLLAPSED = 0.01  # of the entropy at the start
DEVIATION = 4.0  # nats an action component: the standard deviation is 1/50 of what it was
VALUE_LOSS = 1000.0  # times the first
UNEXPLAINED = 0.1
MYOPIC = 0.8  # γ, by which a reward five steps ahead counts a third
HORIZONS = 5  # episodes may be so many times 1/(1 − γ)
GRADIENT = 1000.0  # times the largest allowed norm
KL_TARGETS = (
    "update.target_kl",
    "losses.policy.kl_target",
    "optimizer.actor.kl_target",
    "optimizer.trust_region.kl_limit",
)


def became_not_finite(metric: str) -> Callable[[Row, Trend], bool]:
    return lambda row, trend: not math.isfinite(row[metric])


def kl_limit(settings: Settings) -> float:
    """The largest `approx_kl` that is not reported."""
    targets = [settings[path] for path in KL_TARGETS if path in settings]
    return max(HIGH_KL, TARGETS * max(targets, default=0.0))


def _clip_saturated(row: Row, trend: Trend) -> bool:
    # A clip range that falls to 0 clips everything in the end, as it is meant to.
    full = trend.settings.get("losses.policy.epsilon", 0.0)
    return row["clip_fraction"] > CLIPPED and row.get("clip_range", full) >= 0.1 * full


def _collapsed(row: Row, trend: Trend) -> bool:
    """The policy has stopped to explore, and returns are where they were at the start."""
    first = trend.first.get("entropy", math.nan)
    if trend.action_components:
        gone = row["entropy"] < first - DEVIATION * trend.action_components
    else:
        gone = row["entropy"] < COLLAPSED * first
    return gone and not trend.improved


def _random(row: Row, trend: Trend) -> bool:
    """The policy is as random as at the start, after a quarter of the run."""
    first = trend.first.get("entropy", math.nan)
    if trend.action_components:
        wide = row["entropy"] > first + 2 * trend.action_components
    else:
        wide = row["entropy"] > 0.97 * first
    # The mean over episodes drifts up by chance: what learns while it is as random does better.
    return wide and trend.progress > 0.25 and not trend.rose(3.0, 0.5)


def unexplained(row: Row) -> bool:
    """Whether values say next to nothing; returns that are all the same cannot be explained."""
    return -math.inf < row.get("explained_variance", 1.0) < UNEXPLAINED


def _unlearnt(row: Row, trend: Trend) -> bool:
    """Values say next to nothing, and are as far from the returns as at the start.

    A critic that learns from each batch once, or from returns alone, may be of little use for long
    in a run that is well: then returns have to say that it is not.
    """
    far = row.get("value_loss", 0.0) > 0.5 * trend.first.get("value_loss", math.inf)
    expected = trend.settings.get("update.epochs", 1) > 1 or not trend.improved
    return unexplained(row) and far and expected


def _large_rewards(low: float, high: float) -> Callable[[Row, Trend], bool]:
    """Rewards are large, and the critic cannot make anything of them."""
    return lambda row, trend: low < row["largest_reward"] <= high and unexplained(row)


def _value_loss_exploded(row: Row, trend: Trend) -> bool:
    return row["value_loss"] > VALUE_LOSS * max(trend.first.get("value_loss", 0.0), 1e-2)


def unlearning(row: Row, trend: Trend) -> bool:
    """Returns were far better, and are nearly where they started."""
    gained = trend.best - trend.started
    return (
        gained > max(3 * trend.spread, 0.2 * abs(trend.started))
        and trend.now < trend.started + 0.1 * gained
    )


def flat(row: Row, trend: Trend) -> bool:
    known = trend.iterations >= 20 and math.isfinite(trend.started)
    return known and trend.progress >= 0.5 and not trend.improved


def _myopic(row: Row, trend: Trend) -> bool:
    """Discounting ends long before an episode does."""
    remaining = 1 - trend.settings["advantage.gamma"]
    return trend.progress > 0.25 and remaining * row["episode_length"] > HORIZONS


# In the order in which one causes another.
SYMPTOMS: tuple[Symptom, ...] = (
    *(
        Symptom(
            "large-rewards",
            "largest_reward",
            patience,
            _large_rewards(low, high),
            "rewards of up to {value}, not normalised, and a critic that explains less than "
            f"{UNEXPLAINED:.0%} of the returns' variance",
            "The scale of rewards is the scale of values, and so of the critic's error and "
            f"gradient; beyond ±{LARGE_REWARD} values are hard to learn.",
            remedies.normalised_rewards,
            LECTURE,
        )
        for low, high, patience in ((HUGE_REWARD, math.inf, 3), (LARGE_REWARD, HUGE_REWARD, 30))
    ),
    Symptom(
        "kl-explosion",
        "approx_kl",
        1,
        lambda row, trend: row["approx_kl"] > EXPLODED_KL,
        "the policy left the one that collected its data (KL divergence {value})",
        "An update moved the policy so far that its batch says nothing about it any more.",
        remedies.smaller_steps,
        NUTS,
    ),
    Symptom(
        "high-kl",
        "approx_kl",
        2,
        lambda row, trend: row["approx_kl"] > kl_limit(trend.settings),
        "a KL divergence of {value} between the policy and the one that acted",
        "Clipping bounds the incentive to move, not the movement: updates are too large, or too "
        "many for one batch.",
        remedies.smaller_steps,
        LECTURE,
    ),
    Symptom(
        "clip-saturated",
        "clip_fraction",
        3,
        _clip_saturated,
        "{value} of the samples are clipped, and teach nothing",
        "Most samples are outside the clip range after a few minibatches: updates are too large.",
        remedies.smaller_steps,
        DETAILS,
    ),
    *(
        Symptom(
            "not-finite",
            metric,
            1,
            became_not_finite(metric),
            f"{metric} became {{value}}",
            "A loss or a gradient overflowed, or an observation or a reward was not a number.",
            remedies.smaller_steps,
            NUTS,
        )
        for metric in ("policy_loss", "value_loss", "grad_norm", "entropy", "approx_kl")
    ),
    Symptom(
        "entropy-collapse",
        "entropy",
        3,
        _collapsed,
        "the policy's entropy fell to {value}, and returns have not improved",
        "The policy became certain before it found anything out, and explores no more.",
        remedies.more_exploration,
        NUTS,
    ),
    Symptom(
        "entropy-too-high",
        "entropy",
        10,
        _random,
        "the policy is as random as at the start (entropy {value})",
        "The entropy bonus outweighs what the policy could gain.",
        remedies.less_exploration,
        NUTS,
        fits=lambda settings: bool(settings.get("losses.entropy.beta")),
    ),
    Symptom(
        "value-loss-explosion",
        "value_loss",
        3,
        _value_loss_exploded,
        f"the value loss is {{value}}, more than {VALUE_LOSS:,.0f} times what it was at first",
        "Values run away from their targets: rewards are too large, or the critic's steps are.",
        lambda settings: [
            *remedies.normalised_rewards(settings),
            *remedies.smaller_steps(settings),
        ],
        LECTURE,
    ),
    Symptom(
        "useless-critic",
        "explained_variance",
        30,
        _unlearnt,
        f"for {{count}} iterations, values explained less than {UNEXPLAINED:.0%} of the returns' "
        "variance (now {value})",
        "Advantages are only as good as the values they come from, and these say nothing.",
        remedies.better_critic,
        LECTURE,
        # With fewer samples the variances are mostly noise.
        fits=lambda settings: settings.get("update.rollout_steps", 0) >= 128,
    ),
    Symptom(
        "short-horizon",
        "episode_length",
        10,
        _myopic,
        f"rewards are discounted away within a few steps, and episodes of {{value}} steps are more "
        f"than {HORIZONS} times as long",
        "With this γ the agent does not care what its actions lead to.",
        remedies.longer_horizon,
        MATTERS,
        fits=lambda settings: settings.get("advantage.gamma", 1.0) < MYOPIC,
    ),
    Symptom(
        "gradient-clipped",
        "grad_norm",
        20,
        lambda row, trend: row["grad_norm"] > GRADIENT * trend.settings["optimizer.max_grad_norm"],
        f"for {{count}} iterations, gradients were more than {GRADIENT:,.0f} times as long as they "
        "may be (now {value})",
        "The norm is that of actor and critic together: a critic with large errors leaves the "
        "actor almost no gradient.",
        remedies.normalised_rewards,
        MATTERS,
        fits=lambda settings: bool(settings.get("optimizer.max_grad_norm")),
    ),
    STUCK,
    Symptom(
        "unlearning",
        "episode_return",
        5,
        unlearning,
        "returns fell back to {value}, near where they started",
        "The policy forgot what it had learnt; an update was too large, and later data are worse.",
        remedies.smaller_steps,
        NUTS,
    ),
    Symptom(
        "no-improvement",
        "episode_return",
        1,
        flat,
        "returns have not improved in half of the run (now {value})",
        "Nothing that is rewarded has been found, or learning is too slow.",
        remedies.another_start,
        LECTURE,
    ),
)
