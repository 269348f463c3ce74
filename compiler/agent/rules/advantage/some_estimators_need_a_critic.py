"""E104: GAE is a sum of TD errors, which are differences of values."""

from collections.abc import Iterator

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E104", "advantage.estimator", "networks.critic")
def some_estimators_need_a_critic(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    estimator = estimator_of(resolved.spec.advantage)
    if estimator.critic is not None and resolved.spec.networks.critic is None:
        yield resolved.diagnostic(
            "E104",
            resolved.first_explicit(("advantage", "estimator"), ("networks", "critic")),
            f"{estimator.name} needs a critic",
            why=f"{estimator.critic}, and `networks.critic` is null",
            help="give `networks.critic`, or use `estimator: reward-to-go`",
        )
