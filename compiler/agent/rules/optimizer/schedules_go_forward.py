"""E121: points of a schedule in order, from 0 to 1."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule(
    "E121",
    "losses.entropy.schedule",
    "losses.policy.schedule",
    "losses.value.schedule",
    "optimizer.actor.schedule",
    "optimizer.critic.schedule",
)
def schedules_go_forward(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    schedules = {
        ("optimizer", "actor", "schedule"): spec.optimizer.actor.schedule,
        ("optimizer", "critic", "schedule"): spec.optimizer.critic.schedule,
        ("losses", "policy", "schedule"): spec.losses.policy.schedule,
        ("losses", "value", "schedule"): spec.losses.value.schedule,
        ("losses", "entropy", "schedule"): spec.losses.entropy.schedule,
    }
    for path, schedule in schedules.items():
        if not isinstance(schedule, list):
            continue
        progress = [point[0] for point in schedule]
        if progress != sorted(set(progress)) or progress[-1] > 1:
            message = f"the progress of the points is {', '.join(f'{p:g}' for p in progress)}"
            help = "write [progress, factor] pairs with progress rising from 0 to 1"
            yield resolved.diagnostic("E121", path, message, help=help)
    if spec.losses.value.schedule != "constant" and spec.optimizer.trust_region is not None:
        message = "beside a trust region the value function has a step of its own"
        help = "schedule `optimizer.critic` instead"
        yield resolved.diagnostic("E121", ("losses", "value", "schedule"), message, help=help)
