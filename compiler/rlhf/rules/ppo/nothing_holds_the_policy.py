"""W401: a policy is rewarded by a model that is right only near its data."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.papers import STIENNON
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W401", "ppo.kl.beta", "stages", phase=Phase.ADVICE)
def nothing_holds_the_policy(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    kl = resolved.spec.ppo.kl
    if "ppo" in resolved.spec.stages and kl.beta == 0:
        yield resolved.diagnostic(
            "W401",
            ("ppo", "kl", "beta"),
            "no KL penalty keeps the policy near the one it starts from",
            why="far from its data the reward model is wrong, and the policy finds where "
            f"({STIENNON}, section 4.3)",
            help="set `ppo.kl.beta`, for instance to 0.05",
        )
