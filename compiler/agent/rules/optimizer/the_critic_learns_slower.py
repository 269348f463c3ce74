"""W201: an actor that outruns its critic follows advantages of an older policy."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.advice import LECTURE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule(
    "W201",
    "optimizer.actor.lr",
    "optimizer.critic.lr",
    "optimizer.trust_region",
    phase=Phase.ADVICE,
)
def the_critic_learns_slower(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    optimizer = resolved.spec.optimizer
    if optimizer.trust_region is None and optimizer.critic.lr < optimizer.actor.lr:
        yield resolved.diagnostic(
            "W201",
            resolved.first_explicit(("optimizer", "critic", "lr"), ("optimizer", "actor", "lr")),
            f"the critic learns slower ({optimizer.critic.lr:g}) than the actor "
            f"({optimizer.actor.lr:g})",
            why=f"advantages are only as good as the values they come from ({LECTURE})",
            help="raise optimizer.critic.lr to the actor's rate or above",
        )
