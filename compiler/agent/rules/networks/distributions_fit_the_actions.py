"""E124: distributions of continuous actions, and the numbers and bounds that they need."""

from collections.abc import Iterator

from ppoc.compiler.agent.action_units import NO_BOUND, is_bounded
from ppoc.compiler.agent.networks.distributions import GAUSSIANS
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

ACTOR = ("networks", "actor")


@rule("E124", "networks.actor.distribution", "networks.actor.resample_every", "networks.actor.std")
def distributions_have_their_numbers(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """A standard deviation where there is none, noise that is not drawn."""
    actor = resolved.spec.networks.actor
    path = ("networks", "actor")
    if actor.distribution == "beta" and actor.std != "independent":
        message = "a Beta distribution has no standard deviation"
        help = f"remove `std: {actor.std}`, or take `distribution: gaussian`"
        yield resolved.diagnostic("E124", (*path, "std"), message, help=help)
    if actor.resample_every is not None and actor.std != "gsde":
        message = "noise is drawn at every step unless it is a function of the state"
        help = "remove `resample_every`, or write `std: gsde`"
        yield resolved.diagnostic("E124", (*path, "resample_every"), message, help=help)


@rule("E124", "networks.actor.distribution", "optimizer.cross_entropy", phase=Phase.PLANNED)
def distributions_fit_the_actions(resolved: ResolvedAgent, plan: Plan) -> Iterator[Diagnostic]:
    """Distributions of continuous actions, and the bounds that some need."""
    continuous = plan.facts.action_kind == "continuous"
    actor = resolved.spec.networks.actor
    for key in ("distribution", "std", "resample_every", "log_std_init"):
        path = (*ACTOR, key)
        if not continuous and not plan.searches and resolved.is_explicit(path):
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
        and resolved.is_explicit((*ACTOR, "log_std_init"))
    ):
        message = "a Beta distribution has no standard deviation"
        yield resolved.diagnostic(
            "E124", (*ACTOR, "log_std_init"), message, help="remove `log_std_init`"
        )


@rule("E124", "networks.actor.action_scaling", "networks.actor.distribution", phase=Phase.PLANNED)
def scaled_actions_are_gaussian_and_bounded(
    resolved: ResolvedAgent, plan: Plan
) -> Iterator[Diagnostic]:
    """Bounds that a Gaussian is to be scaled by, and that are not there."""
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
