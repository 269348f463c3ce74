"""W402: a nat of KL divergence that costs as much as half a deviation of the reward."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.papers import OUYANG
from ppoc.compiler.rlhf.resolved import RlhfResolved

LARGE_BETA = 0.5


@rule("W402", "ppo.kl.beta", "ppo.kl.target", "ppo.rewards.normalize", "stages", phase=Phase.ADVICE)
def the_penalty_is_large(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    kl, rewards = resolved.spec.ppo.kl, resolved.spec.ppo.rewards
    normal = rewards.normalize and kl.target is None
    if "ppo" in resolved.spec.stages and normal and kl.beta > LARGE_BETA:
        yield resolved.diagnostic(
            "W402",
            ("ppo", "kl", "beta"),
            f"β = {kl.beta:g} holds the policy where it is",
            why=f"scores have deviation 1; 0.02 to 0.15 were used ({OUYANG}, appendix C.4)",
            help="try 0.05, or let it follow a `target`",
        )
