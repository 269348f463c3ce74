"""W203: each pass takes the policy further from the one that drew the responses."""

from collections.abc import Iterator

from ppoc.compiler.front.advice import LECTURE, MANY_EPOCHS
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule(
    "W203",
    "ppo.epochs",
    "ppo.losses.policy.epsilon",
    "ppo.losses.policy.objective",
    "ppo.losses.policy.parameters",
    "ppo.target_kl",
    "stages",
    phase=Phase.ADVICE,
)
def many_epochs_without_a_limit(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    ppo = resolved.spec.ppo
    limited = ppo.target_kl is not None or ppo.policy_objective.uses("kl")
    if "ppo" in resolved.spec.stages and ppo.epochs > MANY_EPOCHS and not limited:
        yield resolved.diagnostic(
            "W203",
            ("ppo", "epochs"),
            f"{ppo.epochs} epochs over each rollout, and no limit on the KL divergence",
            why=f"clipping bounds the incentive to move, not the movement ({LECTURE})",
            help="set ppo.target_kl, for instance to 0.02, or take fewer epochs",
        )
