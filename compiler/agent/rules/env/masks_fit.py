"""E123: masks where no choices reach a plain actor."""

from collections.abc import Iterator

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule(
    "E123",
    "env.action_masks",
    "env.frame_stack",
    "networks.actor.body",
    "networks.critic.share",
    "optimizer.cross_entropy",
)
def masks_reach_the_actor(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """Action masks reach the actor, which must take them."""
    spec = resolved.spec
    if not spec.env.action_masks:
        return
    critic = spec.networks.critic
    place = ("env", "action_masks")
    for there, what, help in (
        (spec.networks.actor.body != "mlp", "a body for images", "use `body: mlp`"),
        (
            critic is not None and critic.share is not None,
            "a critic that shares layers",
            "give `networks.critic` its own `layers`",
        ),
        (
            spec.optimizer.cross_entropy is not None,
            "the cross-entropy method",
            "use another `algorithm`",
        ),
        (spec.env.frame_stack > 1, "stacked frames", "set `env.frame_stack: 1`"),
    ):
        if there:
            message = f"action masks do not work with {what} yet"
            yield resolved.diagnostic("E123", place, message, help=help)


@rule("E123", "env.action_masks", "env.id", phase=Phase.PLANNED)
def masks_are_of_choices(resolved: ResolvedAgent, plan: Plan) -> Iterator[Diagnostic]:
    """Masks of actions that are no choices."""
    if resolved.spec.env.action_masks and plan.facts.action_kind not in (
        "discrete",
        "multi-discrete",
    ):
        message = f"the actions of `{resolved.spec.env.id}` are no choices that a mask could forbid"
        help = "remove `action_masks`"
        yield resolved.diagnostic("E123", ("env", "action_masks"), message, help=help)
