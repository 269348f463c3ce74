"""E104: GAE is a sum of TD errors, which are differences of values."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E104", "advantage.estimator", "networks.critic")
def some_estimators_need_a_critic(resolved: Resolved) -> Iterator[Diagnostic]:
    needs = {
        "gae": ("GAE", "it sums the TD errors r + γ V(s′) − V(s)"),
        "q": ("`q`", "the score is weighed by Q(s, a)"),
    }
    estimator = resolved.spec.advantage.estimator
    if estimator in needs and resolved.spec.networks.critic is None:
        name, why = needs[estimator]
        yield resolved.diagnostic(
            "E104",
            resolved.first_explicit(("advantage", "estimator"), ("networks", "critic")),
            f"{name} needs a critic",
            why=f"{why}, and `networks.critic` is null",
            help="give `networks.critic`, or use `estimator: reward-to-go`",
        )
