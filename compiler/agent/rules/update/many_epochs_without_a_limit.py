"""W203: each pass takes the policy further from the one that collected the data."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.advice import LECTURE, MANY_EPOCHS
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule(
    "W203",
    "losses.policy.epsilon",
    "losses.policy.objective",
    "losses.policy.parameters",
    "optimizer.trust_region",
    "update.epochs",
    "update.target_kl",
    phase=Phase.ADVICE,
)
def many_epochs_without_a_limit(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    limited = spec.update.target_kl is not None or spec.optimizer.trust_region is not None
    if spec.update.epochs <= MANY_EPOCHS or limited or spec.policy_objective.uses("kl"):
        return
    yield resolved.diagnostic(
        "W203",
        ("update", "epochs"),
        f"{spec.update.epochs} epochs over each batch, and no limit on the KL divergence",
        why=f"clipping bounds the incentive to move, not the movement ({LECTURE})",
        help="set update.target_kl, for instance to 0.02, or take fewer epochs",
    )
