"""E112: the policy's step and the critic's steps must not move the same parameters."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E112", "networks.critic.share", "optimizer.trust_region", "update.target_kl")
def a_trust_region_needs_a_critic_of_its_own(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    if spec.optimizer.trust_region is None:
        return
    critic = spec.networks.critic
    if critic is None or critic.share is not None:
        yield resolved.diagnostic(
            "E112",
            ("optimizer", "trust_region"),
            "a trust region needs a critic with a network of its own",
            why="the critic's gradient steps would move a shared network out of the trust region",
            help="give `networks.critic` its own layers",
        )
    if spec.update.target_kl is not None:
        yield resolved.diagnostic(
            "E112",
            ("update", "target_kl"),
            "a trust region has its own KL limit, so target_kl means nothing",
            help="set `optimizer.trust_region.kl_limit` and remove `target_kl`",
        )
