"""E110: a critic that nothing reads, or a baseline that nothing subtracts."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E110", "advantage.baseline", "advantage.estimator", "networks.critic")
def returns_have_no_critic(resolved: Resolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    without_critic = spec.advantage.estimator not in ("gae", "q")
    if without_critic and spec.networks.critic is not None:
        yield resolved.diagnostic(
            "E110",
            ("networks", "critic"),
            f"nothing reads the critic: `{spec.advantage.estimator}` is computed from rewards",
            why="with a learned baseline, reward-to-go is GAE with λ = 1",
            help="set `networks.critic: null`, or use `estimator: gae` with `lambda: 1`",
        )
    if spec.advantage.estimator == "gae" and spec.advantage.baseline != "none":
        yield resolved.diagnostic(
            "E110",
            ("advantage", "baseline"),
            "GAE has a baseline already: the value function",
            help="remove `baseline`",
        )
