"""Checks of a spec against the environment that was probed."""

from collections.abc import Iterator

from ppoc.compiler.agent.action_units import NO_BOUND, is_bounded
from ppoc.compiler.agent.checks.network_checks import given
from ppoc.compiler.agent.env.custom import custom_body
from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.networks.distributions import GAUSSIANS
from ppoc.compiler.agent.networks.layers import NetworkError
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError

ACTOR = ("networks", "actor")


def plan_for(resolved: Resolved, facts: EnvFacts) -> Plan:
    """The plan of a spec in its environment, before any pass.

    Raises:
        SpecError: the spec does not fit the environment.
    """
    networks = {"actor": resolved.spec.networks.actor, "critic": resolved.spec.networks.critic}
    custom = {
        name: custom_body(resolved, name, facts.shape, facts.code_folders)
        for name, network in networks.items()
        if network is not None and network.code is not None
    }
    plan = Plan(resolved.spec, facts, custom)
    found = [problem for check in CHECKS for problem in check(resolved, plan)]
    try:
        plan.networks  # noqa: B018 - building them checks them
    except NetworkError as error:
        help = "take larger images (`env.resize`), or other `convolutions`"
        found.append(resolved.diagnostic("E117", (*ACTOR, "body"), str(error), help=help))
    if found:
        raise SpecError(found)
    return plan


def methods_know_the_actions(resolved: Resolved, plan: Plan) -> Iterator[Diagnostic]:
    """E116: methods that only work with some kinds of actions or observations."""
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


def images_are_scaled_already(resolved: Resolved, plan: Plan) -> Iterator[Diagnostic]:
    """E122: running statistics of pixels."""
    if plan.facts.images and resolved.spec.env.normalize.observations:
        yield resolved.diagnostic(
            "E122",
            ("env", "normalize", "observations"),
            "images are scaled to [0, 1] already",
            help="set `env.normalize.observations: false`",
        )


def masks_are_of_choices(resolved: Resolved, plan: Plan) -> Iterator[Diagnostic]:
    """E123: masks of actions that are no choices."""
    if resolved.spec.env.action_masks and plan.facts.action_kind not in (
        "discrete",
        "multi-discrete",
    ):
        message = f"the actions of `{resolved.spec.env.id}` are no choices that a mask could forbid"
        help = "remove `action_masks`"
        yield resolved.diagnostic("E123", ("env", "action_masks"), message, help=help)


def distributions_fit_the_actions(resolved: Resolved, plan: Plan) -> Iterator[Diagnostic]:
    """E124: distributions of continuous actions, and the bounds that some need."""
    continuous = plan.facts.action_kind == "continuous"
    actor = resolved.spec.networks.actor
    for key in ("distribution", "std", "resample_every", "log_std_init"):
        path = (*ACTOR, key)
        if not continuous and not plan.searches and given(resolved, path):
            message = f"`{key}` means nothing to {plan.facts.action_kind} actions"
            yield resolved.diagnostic("E124", path, message, help=f"remove `{key}`")
    bounds = (*plan.facts.action_low, *plan.facts.action_high)
    if continuous and actor.distribution != "gaussian" and any(abs(b) >= NO_BOUND for b in bounds):
        message = f"`{actor.distribution}` needs bounds, and an action here has none"
        help = "use `distribution: gaussian`"
        yield resolved.diagnostic("E124", (*ACTOR, "distribution"), message, help=help)
    if (
        continuous
        and actor.distribution not in GAUSSIANS
        and given(resolved, (*ACTOR, "log_std_init"))
    ):
        message = "a Beta distribution has no standard deviation"
        yield resolved.diagnostic(
            "E124", (*ACTOR, "log_std_init"), message, help="remove `log_std_init`"
        )


def scaled_actions_are_gaussian_and_bounded(resolved: Resolved, plan: Plan) -> Iterator[Diagnostic]:
    """E124: bounds that a Gaussian is to be scaled by, and that are not there."""
    path, facts = (*ACTOR, "action_scaling"), plan.facts
    if resolved.spec.networks.actor.action_scaling != "bounds":
        return
    if facts.action_kind != "continuous":
        message = f"`action_scaling` means nothing to {facts.action_kind} actions"
    elif plan.policy != "gaussian":
        message = f"`{plan.policy}` lies between the bounds already"
    elif not is_bounded(facts):
        message = "`action_scaling: bounds` needs bounds, and the actions here have none"
    else:
        return
    yield resolved.diagnostic("E124", path, message, help="remove `action_scaling`")


CHECKS = (
    methods_know_the_actions,
    images_are_scaled_already,
    masks_are_of_choices,
    distributions_fit_the_actions,
    scaled_actions_are_gaussian_and_bounded,
)
