"""Lints: the lecture's practical advice, as warnings. None of them stops a spec.

`# ppoc: allow W201`, on the line or as a comment of its own, silences one.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.emission.cxx import always_needs_a_compiler
from ppoc.compiler.front.advice import LECTURE, MANY_EPOCHS
from ppoc.compiler.front.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ppoc.compiler.agent.resolved import Resolved

DEEP, WIDE = 3, 512
LARGE_REWARD = 10


def the_critic_learns_slower(resolved: "Resolved") -> Iterator[Diagnostic]:
    """W201: an actor that outruns its critic follows advantages of an older policy."""
    optimizer = resolved.spec.optimizer
    if optimizer.trust_region is None and optimizer.critic.lr < optimizer.actor.lr:
        yield resolved.error(
            "W201",
            resolved.said(("optimizer", "critic", "lr"), ("optimizer", "actor", "lr")),
            f"the critic learns slower ({optimizer.critic.lr:g}) than the actor "
            f"({optimizer.actor.lr:g})",
            why=f"advantages are only as good as the values they come from ({LECTURE})",
            help="raise optimizer.critic.lr to the actor's rate or above",
        )


def networks_are_larger_than_needed(resolved: "Resolved") -> Iterator[Diagnostic]:
    """W202: policy gradients are noisy; large networks on flat observations rarely help."""
    networks = resolved.spec.networks
    for name, network in (("actor", networks.actor), ("critic", networks.critic)):
        if network is None or (name == "critic" and getattr(network, "share", None)):
            continue
        if len(network.layers) > DEEP or max(network.layers, default=0) > WIDE:
            yield resolved.error(
                "W202",
                ("networks", name, "layers"),
                f"the {name} has {len(network.layers)} hidden layers of up to "
                f"{max(network.layers)} units",
                why=f"two layers of 64 to 256 are enough for most flat observations ({LECTURE})",
                help="start small, and grow the network when a smaller one has learnt",
            )


def many_epochs_without_a_limit(resolved: "Resolved") -> Iterator[Diagnostic]:
    """W203: each pass takes the policy further from the one that collected the data."""
    spec = resolved.spec
    limited = spec.update.target_kl is not None or spec.optimizer.trust_region is not None
    if spec.update.epochs <= MANY_EPOCHS or limited or spec.policy_objective.uses("kl"):
        return
    yield resolved.error(
        "W203",
        ("update", "epochs"),
        f"{spec.update.epochs} epochs over each batch, and no limit on the KL divergence",
        why=f"clipping bounds the incentive to move, not the movement ({LECTURE})",
        help="set update.target_kl, for instance to 0.02, or take fewer epochs",
    )


def gae_is_off(resolved: "Resolved") -> Iterator[Diagnostic]:
    """W204: λ = 0 is all bias, λ = 1 all variance; a preset that means it is not asked."""
    advantage = resolved.spec.advantage
    chosen = resolved.origin(("advantage", "lambda")).kind in ("spec", "extends", "override")
    if advantage.estimator == "gae" and advantage.lambda_ in (0.0, 1.0) and chosen:
        what = "one-step TD errors" if advantage.lambda_ == 0 else "returns minus values"
        yield resolved.error(
            "W204",
            ("advantage", "lambda"),
            f"λ = {advantage.lambda_:g} turns GAE off: advantages are {what}",
            why=f"values between trade bias for variance, mostly for the better ({LECTURE})",
            help="try 0.9 to 0.97",
        )


def rewards_are_large(resolved: "Resolved", largest: float) -> Iterator[Diagnostic]:
    """W205: the scale of rewards is the scale of values, and of the critic's gradient."""
    env = resolved.spec.env
    clipped = env.atari is not None and env.atari.clip_rewards
    if largest > LARGE_REWARD and not env.normalize.rewards and not clipped:
        yield resolved.error(
            "W205",
            ("env", "id"),
            f"random steps met rewards of {largest:.3g}, and rewards are not normalised",
            why=f"rewards beyond ±{LARGE_REWARD} make values hard to learn ({LECTURE})",
            help="set `env.normalize.rewards: true`",
        )


LINTS: tuple[Callable[["Resolved"], Iterator[Diagnostic]], ...] = (
    the_critic_learns_slower,
    networks_are_larger_than_needed,
    many_epochs_without_a_limit,
    gae_is_off,
    always_needs_a_compiler,
)
