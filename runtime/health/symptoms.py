"""Symptoms of an unhealthy run: one row each, with threshold, source and what to try.

Sources:
    Dinu 2024: Policy gradients and PPO, RL Bootcamp 2024, its practical advice and troubleshooting.
    Schulman 2016: Nuts and bolts of deep RL research, NIPS 2016 deep RL workshop.
    Huang et al. 2022: The 37 implementation details of proximal policy optimization.
    Andrychowicz et al. 2021: What matters for on-policy deep actor-critic methods?
"""

import math
from collections.abc import Callable

from ppoc.runtime.health.action_symptoms import STUCK
from ppoc.runtime.health.findings import Change
from ppoc.runtime.health.symptom import Constants, Symptom
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


# ── What to change ────────────────────────────────────────────────────────────────────────────────


def smaller_steps(constants: Constants) -> list[Change]:
    """Changes that keep the policy nearer to the one that acted, the likeliest first.

    3e-4 is the rate that Andrychowicz et al. 2021 start from.
    """
    if "KL_LIMIT" in constants:
        limit = constants["KL_LIMIT"]
        return [Change("optimizer.trust_region.kl_limit", limit, min(limit / 2, 0.01))]
    rate = constants.get("ACTOR_LEARNING_RATE", constants.get("LEARNING_RATE", 3e-4))
    slower = Change("optimizer.actor.lr", rate, 3e-4 if rate > 3e-3 else rate / 3)
    changes = [slower] if rate > 3e-3 else []
    epsilon = constants.get("CLIP_RANGE")
    if epsilon is not None:
        narrower = Change("losses.policy.epsilon", epsilon, 0.2 if epsilon > 0.3 else epsilon / 2)
        changes = [narrower, *changes] if epsilon > 1 else [*changes, narrower]
    if slower not in changes:
        changes.append(slower)
    target = constants.get("TARGET_KL")
    if target is None and constants.get("EPOCHS", 1) > 1:
        changes.append(Change("update.target_kl", "null", 0.02))
    return changes


def normalised_rewards(constants: Constants) -> list[Change]:
    return [Change("env.normalize.rewards", False, True)]


def more_exploration(constants: Constants) -> list[Change]:
    """Changes that keep a policy from becoming certain: a bonus, or steps that are not wild."""
    beta = constants.get("ENTROPY_COEFFICIENT", 0.0)
    bonus, steps = Change("losses.entropy.beta", beta, beta * 3 or 0.01), smaller_steps(constants)
    wild = steps[0].old > {"optimizer.actor.lr": 3e-3, "losses.policy.epsilon": 1.0}.get(
        steps[0].path, math.inf
    )
    return [*steps, bonus] if wild else [bonus, *steps]


def less_exploration(constants: Constants) -> list[Change]:
    beta = constants.get("ENTROPY_COEFFICIENT", 0.0)
    return [Change("losses.entropy.beta", beta, beta / 10)]


def better_critic(constants: Constants) -> list[Change]:
    """Changes that let the value function learn: its weight, its rate, the rewards' scale."""
    changes = []
    coefficient = constants.get("VALUE_COEFFICIENT")
    if coefficient is not None and coefficient < 0.1:
        changes.append(Change("losses.value.coefficient", coefficient, 0.5))
    rate = constants.get("CRITIC_LEARNING_RATE", constants.get("LEARNING_RATE"))
    if rate is not None:
        changes.append(Change("optimizer.critic.lr", rate, min(rate * 3, max(rate, 1e-3))))
    if "NORMALIZE_CLIP" not in constants:
        changes += normalised_rewards(constants)
    return [change for change in changes if change.old != change.new]


def longer_horizon(constants: Constants) -> list[Change]:
    return [Change("advantage.gamma", constants["GAMMA"], 0.99)]


def another_start(constants: Constants) -> list[Change]:
    """Changes to try where nothing is learnt and nothing else is wrong."""
    changes = []
    if not constants.get("ENTROPY_COEFFICIENT"):
        changes.append(Change("losses.entropy.beta", 0.0, 0.01))
    rate = constants.get("ACTOR_LEARNING_RATE", constants.get("LEARNING_RATE"))
    if rate is not None and not 1e-4 <= rate <= 3e-3:
        changes.insert(0, Change("optimizer.actor.lr", rate, 3e-4))
    if "NORMALIZE_CLIP" not in constants:
        changes.append(Change("env.normalize.observations", False, True))
    return changes


# ── What is seen ──────────────────────────────────────────────────────────────────────────────────


def became_not_finite(metric: str) -> Callable[[Row, Trend], bool]:
    return lambda row, trend: not math.isfinite(row[metric])


def kl_limit(constants: Constants) -> float:
    """The largest `approx_kl` that is not reported."""
    named = ("TARGET_KL", "KL_TARGET", "RATE_KL_TARGET", "KL_LIMIT")
    targets = [constants[name] for name in named if name in constants]
    return max(HIGH_KL, TARGETS * max(targets, default=0.0))


def _clip_saturated(row: Row, trend: Trend) -> bool:
    # A clip range that falls to 0 clips everything in the end, as it is meant to.
    full = trend.constants.get("CLIP_RANGE", 0.0)
    return row["clip_fraction"] > CLIPPED and row.get("clip_range", full) >= 0.1 * full


def _continuous(constants: Constants) -> bool:
    return "ACTION_LOW" in constants or any(
        "log_std" in name for name in constants.get("SHAPES", {})
    )


def _components(constants: Constants) -> int:
    """Outputs of the actor."""
    biases = [s for name, s in constants.get("SHAPES", {}).items() if name.startswith("actor.")]
    return int(biases[-1][0]) if biases and biases[-1] else 1


def _collapsed(row: Row, trend: Trend) -> bool:
    """The policy has stopped to explore, and returns are where they were at the start."""
    first = trend.first.get("entropy", math.nan)
    if _continuous(trend.constants):
        gone = row["entropy"] < first - DEVIATION * _components(trend.constants)
    else:
        gone = row["entropy"] < COLLAPSED * first
    return gone and not trend.improved


def _random(row: Row, trend: Trend) -> bool:
    """The policy is as random as at the start, after a quarter of the run."""
    first = trend.first.get("entropy", math.nan)
    if _continuous(trend.constants):
        wide = row["entropy"] > first + 2 * _components(trend.constants)
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
    expected = trend.constants.get("EPOCHS", 1) > 1 or not trend.improved
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
    remaining = 1 - trend.constants["GAMMA"]
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
            normalised_rewards,
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
        smaller_steps,
        NUTS,
    ),
    Symptom(
        "high-kl",
        "approx_kl",
        2,
        lambda row, trend: row["approx_kl"] > kl_limit(trend.constants),
        "a KL divergence of {value} between the policy and the one that acted",
        "Clipping bounds the incentive to move, not the movement: updates are too large, or too "
        "many for one batch.",
        smaller_steps,
        LECTURE,
    ),
    Symptom(
        "clip-saturated",
        "clip_fraction",
        3,
        _clip_saturated,
        "{value} of the samples are clipped, and teach nothing",
        "Most samples are outside the clip range after a few minibatches: updates are too large.",
        smaller_steps,
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
            smaller_steps,
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
        more_exploration,
        NUTS,
    ),
    Symptom(
        "entropy-too-high",
        "entropy",
        10,
        _random,
        "the policy is as random as at the start (entropy {value})",
        "The entropy bonus outweighs what the policy could gain.",
        less_exploration,
        NUTS,
        fits=lambda constants: bool(constants.get("ENTROPY_COEFFICIENT")),
    ),
    Symptom(
        "value-loss-explosion",
        "value_loss",
        3,
        _value_loss_exploded,
        f"the value loss is {{value}}, more than {VALUE_LOSS:,.0f} times what it was at first",
        "Values run away from their targets: rewards are too large, or the critic's steps are.",
        lambda constants: [*normalised_rewards(constants), *smaller_steps(constants)],
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
        better_critic,
        LECTURE,
        # With fewer samples the variances are mostly noise.
        fits=lambda constants: constants.get("BATCH_SIZE", 0) >= 128,
    ),
    Symptom(
        "short-horizon",
        "episode_length",
        10,
        _myopic,
        f"rewards are discounted away within a few steps, and episodes of {{value}} steps are more "
        f"than {HORIZONS} times as long",
        "With this γ the agent does not care what its actions lead to.",
        longer_horizon,
        MATTERS,
        fits=lambda constants: constants.get("GAMMA", 1.0) < MYOPIC,
    ),
    Symptom(
        "gradient-clipped",
        "grad_norm",
        20,
        lambda row, trend: row["grad_norm"] > GRADIENT * trend.constants["MAX_GRAD_NORM"],
        f"for {{count}} iterations, gradients were more than {GRADIENT:,.0f} times as long as they "
        "may be (now {value})",
        "The norm is that of actor and critic together: a critic with large errors leaves the "
        "actor almost no gradient.",
        normalised_rewards,
        MATTERS,
        fits=lambda constants: bool(constants.get("MAX_GRAD_NORM")),
    ),
    STUCK,
    Symptom(
        "unlearning",
        "episode_return",
        5,
        unlearning,
        "returns fell back to {value}, near where they started",
        "The policy forgot what it had learnt; an update was too large, and later data are worse.",
        smaller_steps,
        NUTS,
    ),
    Symptom(
        "no-improvement",
        "episode_return",
        1,
        flat,
        "returns have not improved in half of the run (now {value})",
        "Nothing that is rewarded has been found, or learning is too slow.",
        another_start,
        LECTURE,
    ),
)
