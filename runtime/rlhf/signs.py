"""Signs of an unhealthy stage in its metrics; thresholds are far from healthy runs."""

import math
from collections.abc import Callable

from ppoc.runtime.health.symptoms import CLIPPED, EXPLODED_KL, TARGETS, VALUE_LOSS, unexplained
from ppoc.runtime.health.trend import Row, Trend
from ppoc.runtime.rlhf.trend import StageTrend

OVERFIT = 1.1  # times the lowest held-out loss
CHANCE = 0.52  # share of pairs, of which a coin gets half
USEFUL = 0.6  # share of held-out pairs; people agree with each other on 65% to 80%
HIGH_KL = 0.5  # nats a token, between the policy and the one that answered
FAR = 3.0  # times the target
FAR_TOKEN = 1.0  # nats a token, where there is no target
FAR_ANSWER = 100.0  # nats an answer, where there is no target
NEGATIVE = -1.0  # nats an answer
COLLAPSED = 0.05  # of the first entropy
NOISE = 1.0  # nats a token above the first entropy
ENDED = 0.2  # share of answers that end by themselves

GUESSED = 20.0  # nats a token: a guess among all tokens of any vocabulary costs 14 at most
# Limits of metrics, beyond which a stage has diverged; a ranking of thirty answers costs 75 nats at
# chance.
LIMITS: dict[str, dict[str, float]] = {
    "sft": {"loss": GUESSED},
    "reward": {"loss": 1000.0},
    "ppo": {"approx_kl": EXPLODED_KL},
}


def at_chance(row: Row, trend: Trend) -> bool:
    return isinstance(trend, StageTrend) and trend.accuracy < CHANCE


def overfit(row: Row, trend: Trend) -> bool:
    return isinstance(trend, StageTrend) and row["held_out_loss"] > OVERFIT * trend.lowest


def by_heart(row: Row, trend: Trend) -> bool:
    """Held-out rankings are at chance, and those that are learnt from are not."""
    return _held_out_at_chance(row, trend) and _learns(trend)


def learns_nothing(row: Row, trend: Trend) -> bool:
    """Held-out rankings are at chance, and those that are learnt from too."""
    return _held_out_at_chance(row, trend) and not _learns(trend)


def _learns(trend: Trend) -> bool:
    training = trend.training if isinstance(trend, StageTrend) else None
    return training is not None and training.lately > USEFUL


def _held_out_at_chance(row: Row, trend: Trend) -> bool:
    """After half of the epochs, fewer pairs are right than is of use, and not by chance."""
    count = max(row.get("held_out_rankings", 0.0), 1.0)
    error = math.sqrt(USEFUL * (1 - USEFUL) / count)  # a standard error, of a useful model
    late = trend.iterations > trend.settings.get("reward.epochs", 1) / 2
    return late and row["held_out_accuracy"] < USEFUL - 2 * error


def high_kl(row: Row, trend: Trend) -> bool:
    target: float = trend.settings.get("ppo.target_kl", 0.0)
    return row["approx_kl"] > max(HIGH_KL, TARGETS * target)


def clipped(row: Row, trend: Trend) -> bool:
    """Most tokens are clipped that can be: in the first minibatch of a rollout none is."""
    size = max(trend.settings.get("ppo.minibatch_size", 1), 1)
    passes = math.ceil(trend.settings.get("ppo.rollout_size", 0) / size)
    updates: int = max(trend.settings.get("ppo.epochs", 1) * passes, 1)
    return row["clip_fraction"] > CLIPPED * (1 - 1 / updates)


def far(row: Row, trend: Trend) -> bool:
    """The policy is much farther from the reference than it is to be, or than helps anybody."""
    kl = row["kl_to_reference"]
    if "ppo.kl.target" in trend.settings:
        target: float = trend.settings["ppo.kl.target"]
        return kl > FAR * target
    return kl > min(FAR_ANSWER, FAR_TOKEN * max(row.get("response_length", 0.0), 1.0))


def collapsed(row: Row, trend: Trend) -> bool:
    return row["entropy"] < COLLAPSED * trend.first.get("entropy", -math.inf)


def noisy(row: Row, trend: Trend) -> bool:
    return row["entropy"] > trend.first.get("entropy", math.inf) + NOISE


def values_exploded(row: Row, trend: Trend) -> bool:
    first = trend.first.get("value_loss", 1.0)
    if trend.settings.get("ppo.rewards.normalize"):
        first = min(first, 1.0)  # normalised scores have variance 1
    return row["value_loss"] > VALUE_LOSS * max(first, 1e-2)


def dead_values(row: Row, trend: Trend) -> bool:
    """Values say next to nothing, and are as far from the returns as at the start."""
    wrong = row.get("value_loss", 0.0) > 0.5 * trend.first.get("value_loss", math.inf)
    return unexplained(row) and wrong


def endless(began: bool) -> Callable[[Row, Trend], bool]:
    """Hardly an answer ends by itself, and many or few did so in the beginning."""
    return lambda row, trend: (
        row["ended"] < ENDED and (trend.first.get("ended", 0.0) >= 2 * ENDED) == began
    )
