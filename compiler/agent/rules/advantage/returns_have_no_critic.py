"""E110: a critic that nothing reads, or a baseline that nothing subtracts."""

from collections.abc import Iterator

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E110", "advantage.baseline", "advantage.estimator", "networks.critic")
def returns_have_no_critic(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    estimator = estimator_of(spec.advantage)
    if estimator.critic is None and spec.networks.critic is not None:
        yield resolved.diagnostic(
            "E110",
            ("networks", "critic"),
            f"nothing reads the critic: `{spec.advantage.estimator}` is computed from rewards",
            why="with a learned baseline, reward-to-go is GAE with λ = 1",
            help="set `networks.critic: null`, or use `estimator: gae` with `lambda: 1`",
        )
    if estimator.subtracts_values and spec.advantage.baseline != "none":
        yield resolved.diagnostic(
            "E110",
            ("advantage", "baseline"),
            f"{estimator.name} has a baseline already: the value function",
            help="remove `baseline`",
        )
