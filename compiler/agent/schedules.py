"""Values that change over a run, which `update` therefore takes as arguments.

Some fall with the steps taken; some follow the KL divergence that the last update caused, and are
then a part of what a checkpoint holds.
"""

from typing import Any, NamedTuple

from ppoc.compiler.agent.optimizer_constants import split_rate
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.literals import Code


class Scheduled(NamedTuple):
    """One argument of `update`, with the lines of `train` that compute it."""

    argument: Code
    lines: list[Code]
    of_loss: bool  # `loss` takes it too
    logged: Code  # the number to log
    constant: Code  # the name of its constant, which it stands for inside the loss
    rule: Code = Code("")  # how it follows the KL divergence, if it does
    rule_comment: Code = Code("")

    @property
    def adaptive(self) -> bool:
        """Whether the value follows the KL divergence."""
        return bool(self.rule)


def scheduled(plan: Plan) -> list[Scheduled]:
    """The scheduled values of a plan, in the order `update` takes them."""
    optimizer, losses = plan.spec.optimizer, plan.spec.losses
    leading = optimizer.critic if optimizer.trust_region else optimizer.actor
    rows = []
    if split_rate(plan):
        rows.append(_split_rate(optimizer.actor.schedule, optimizer.critic.schedule))
    elif leading.schedule == "adaptive":
        rows.append(_adaptive_rate("LEARNING_RATE"))
    elif leading.schedule != "constant":
        rows.append(_falling("learning_rate", leading.schedule, of_loss=False))
    if losses.policy.schedule != "constant" and plan.policy_objective.uses("epsilon"):
        rows.append(_falling("clip_range", losses.policy.schedule, of_loss=True))
    if losses.policy.kl_target is not None:
        rows.append(_adaptive_penalty())
    if plan.has_critic and losses.value.schedule != "constant":
        rows.append(_falling("value_coefficient", losses.value.schedule, of_loss=True))
    if losses.entropy.beta and losses.entropy.schedule != "constant":
        rows.append(_falling("entropy_coefficient", losses.entropy.schedule, of_loss=True))
    return rows


def factor(constant: str, schedule: Any) -> str:
    """Source of a constant's value at `progress` from 0 to 1, of which `remaining` is left."""
    if schedule == "constant":
        return constant
    if schedule == "linear":
        return f"{constant} * remaining"
    if schedule == "cosine":
        return f"{constant} * 0.5 * (1 + math.cos(math.pi * progress))"
    return f"{constant} * float(np.interp(progress, *{constant}_SCHEDULE))"


def _falling(argument: str, schedule: Any, *, of_loss: bool) -> Scheduled:
    value = factor(argument.upper(), schedule)
    line = Code(f"{argument} = torch.tensor({value}, device=run.device)")
    lines, logged = [line], Code(value)
    if schedule != "linear":
        lines = [
            Code(f"{argument}_now = {value}"),
            Code(f"{argument} = torch.tensor({argument}_now, device=run.device)"),
        ]
        logged = Code(f"{argument}_now")
    return Scheduled(Code(argument), lines, of_loss, logged, Code(argument.upper()))


def _adaptive(argument: str, constant: str, rule: str, comment: str, *, of_loss: bool) -> Scheduled:
    line = Code(f'{argument} = torch.tensor(adaptive["{argument}"], device=run.device)')
    logged = Code(f'adaptive["{argument}"]')
    return Scheduled(
        Code(argument), [line], of_loss, logged, Code(constant), Code(rule), Code(comment)
    )


def _adaptive_penalty() -> Scheduled:
    comment = "Schulman et al. 2017, section 4: double β, or halve it"
    rule = "runtime.follow_kl(kl, KL_TARGET, rise=2.0, slack=1.5)"
    return _adaptive("kl_weight", "OBJECTIVE_KL_WEIGHT", rule, comment, of_loss=True)


def _adaptive_rate(constant: str) -> Scheduled:
    comment = "The step size falls where the policy moved too far, and grows where it hardly moved"
    rule = "runtime.follow_kl(kl, RATE_KL_TARGET, rise=1 / 1.5, slack=2.0)"
    return _adaptive("learning_rate", constant, rule, comment, of_loss=False)


def _split_rate(actor: Any, critic: Any) -> Scheduled:
    """Actor's and critic's rates side by side in one vector [P]."""
    row = _adaptive_rate("ACTOR_LEARNING_RATE")
    adaptive = actor == "adaptive"
    actor_rate = row.logged if adaptive else Code(factor("ACTOR_LEARNING_RATE", actor))
    lines = []
    if actor not in ("constant", "linear", "adaptive"):
        lines.append(Code(f"learning_rate_now = {actor_rate}"))
        actor_rate = Code("learning_rate_now")
    lines += [
        Code(f"learning_rate = torch.full_like(learner.params, {actor_rate})"),
        Code(f"learning_rate[ACTOR_SIZE:] = {factor('CRITIC_LEARNING_RATE', critic)}"),
    ]
    return row._replace(lines=lines, logged=actor_rate, rule=row.rule if adaptive else Code(""))


def follows_kl(plan: Plan) -> bool:
    """Whether a rate or a penalty follows the KL divergence."""
    return any(row.adaptive for row in scheduled(plan))
