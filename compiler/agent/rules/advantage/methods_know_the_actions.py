"""E116: methods that only work with some kinds of actions or observations."""

from collections.abc import Iterator

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

ACTOR = ("networks", "actor")


@rule(
    "E116",
    "advantage.estimator",
    "networks.actor.body",
    "networks.actor.distribution",
    "networks.actor.std",
    "optimizer.cross_entropy",
    phase=Phase.PLANNED,
)
def methods_know_the_actions(resolved: ResolvedAgent, plan: Plan) -> Iterator[Diagnostic]:
    std = resolved.spec.networks.actor.std
    simple = plan.policy == "categorical" or (plan.policy == "gaussian" and std == "independent")
    kind = plan.facts.action_kind.replace("-", " ")
    if plan.learns_action_values and not simple:
        message = f"the estimator q does not know how to average over {kind} actions like these"
        help = "use `estimator: gae`"
        yield resolved.diagnostic("E116", ("advantage", "estimator"), message, help=help)
    if plan.searches and plan.facts.action_kind not in ("discrete", "continuous"):
        message = f"the cross-entropy method does not take {kind} actions"
        yield resolved.diagnostic("E116", ("algorithm",), message, help="use `algorithm: ppo`")
    if plan.searches and resolved.spec.networks.actor.body != "mlp":
        message = "the cross-entropy method does not take images"
        yield resolved.diagnostic("E116", (*ACTOR, "body"), message, help="use `algorithm: ppo`")
