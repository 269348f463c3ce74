"""Values that change over a run, which `update` therefore takes as arguments."""

from typing import NamedTuple

from ppoc.compiler.constants import split_rate
from ppoc.compiler.literals import Code
from ppoc.compiler.plan import Plan


class Scheduled(NamedTuple):
    """One argument of `update`, with the lines of `train` that compute it."""

    argument: Code
    lines: list[Code]
    of_loss: bool  # `loss` takes it too
    logged: Code  # the number to log


def scheduled(plan: Plan) -> list[Scheduled]:
    """The scheduled values of a plan, in the order `update` takes them."""
    optimizer, losses = plan.spec.optimizer, plan.spec.losses
    rows = []
    if split_rate(plan):
        rows.append(_split_rate(optimizer.actor.schedule, optimizer.critic.schedule))
    elif (optimizer.critic if optimizer.trust_region else optimizer.actor).schedule == "linear":
        rows.append(_linear("learning_rate", of_loss=False))
    if losses.policy.schedule == "linear" and plan.policy_objective.uses("epsilon"):
        rows.append(_linear("clip_range", of_loss=True))
    if losses.entropy.beta and losses.entropy.schedule == "linear":
        rows.append(_linear("entropy_coefficient", of_loss=True))
    return rows


def _linear(argument: str, *, of_loss: bool) -> Scheduled:
    value = f"{argument.upper()} * remaining"
    line = f"{argument} = torch.tensor({value}, device=run.device)"
    return Scheduled(Code(argument), [Code(line)], of_loss, Code(value))


def _split_rate(actor: str, critic: str) -> Scheduled:
    """Actor's and critic's rates side by side in one vector [P]."""
    actor_rate = "ACTOR_LEARNING_RATE" + (" * remaining" if actor == "linear" else "")
    critic_rate = "CRITIC_LEARNING_RATE" + (" * remaining" if critic == "linear" else "")
    lines = [
        Code(f"learning_rate = torch.full_like(learner.params, {actor_rate})"),
        Code(f"learning_rate[ACTOR_SIZE:] = {critic_rate}"),
    ]
    return Scheduled(Code("learning_rate"), lines, False, Code(actor_rate))
