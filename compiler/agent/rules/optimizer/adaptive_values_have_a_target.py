"""E113: a value that follows the KL divergence needs a target, a target a value."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.front.source import INHERITED


@rule(
    "E113",
    "losses.policy.kl_target",
    "losses.policy.parameters",
    "optimizer.actor.kl_target",
    "optimizer.actor.schedule",
    "optimizer.critic.kl_target",
    "optimizer.critic.schedule",
    "optimizer.trust_region",
)
def adaptive_values_have_a_target(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    optimizer, policy = resolved.spec.optimizer, resolved.spec.losses.policy
    if policy.kl_target is not None and "kl_weight" not in policy.parameters:
        yield resolved.diagnostic(
            "E113",
            ("losses", "policy", "kl_target"),
            "kl_target moves the parameter kl_weight, and there is none",
            help="use `objective: kl-penalty` with `parameters: {kl_weight: 1.0}`",
        )
    if policy.kl_target is not None and optimizer.trust_region is not None:
        yield resolved.diagnostic(
            "E113",
            ("losses", "policy", "kl_target"),
            "a trust region has its own KL limit, so kl_target means nothing",
            help="remove `kl_target`, or `optimizer.trust_region`",
        )
    actor, critic = optimizer.actor, optimizer.critic
    path = ("optimizer", "actor", "schedule")
    if actor.schedule == "adaptive" and actor.kl_target is None:
        help = "add `kl_target: 0.01` beside it"
        yield resolved.diagnostic("E113", path, "an adaptive rate needs a kl_target", help=help)
    for name, one in (("actor", actor), ("critic", critic)):
        target = ("optimizer", name, "kl_target")
        if one.kl_target is None or one.schedule == "adaptive":
            continue
        if resolved.origin(target).kind != INHERITED:
            yield resolved.diagnostic(
                "E113",
                target,
                f"kl_target means nothing to a rate that is {one.schedule}",
                help=f"set `kl_target: null`{', or `schedule: adaptive`' * (name == 'actor')}",
            )
    adaptive_region = actor.schedule == "adaptive" and optimizer.trust_region is not None
    if critic.schedule == "adaptive" or adaptive_region:
        yield resolved.diagnostic(
            "E113",
            ("optimizer", "critic", "schedule") if critic.schedule == "adaptive" else path,
            "only the rate of a policy that takes gradient steps follows its KL divergence",
            help="take `schedule: constant` or `linear`",
        )
