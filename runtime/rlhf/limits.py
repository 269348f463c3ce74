"""Limits of metrics beyond which a stage has diverged."""

from ppoc.runtime.health.symptoms import EXPLODED_KL

GUESSED = 20.0  # nats a token: a guess among all tokens of any vocabulary costs 14 at most
# The loss of a ranking of thirty answers is 75 nats at chance.
LIMITS: dict[str, dict[str, float]] = {
    "sft": {"loss": GUESSED},
    "reward": {"loss": 1000.0},
    "ppo": {"approx_kl": EXPLODED_KL},
}
