"""Values of an agent that change over a run, as `ppoc explain` shows them."""

from collections.abc import Iterator
from typing import Any

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.last_iteration import iterations_in_words, steps_taken
from ppoc.compiler.formula.schedules import Row, block


def over_the_run(spec: AgentSpec) -> str:
    """How long a run is, and what changes over it."""
    steps = f"{steps_taken(spec):,} environment steps, {iterations_in_words(spec)}"
    return block(f"over the run: {steps}", rows(spec), "iterations done")


def rows(spec: AgentSpec) -> Iterator[Row]:
    """The values of an agent that change."""
    losses, optimizer = spec.losses, spec.optimizer
    if optimizer.cross_entropy is not None:
        yield Row("noise", optimizer.cross_entropy.noise, "linear")
        return
    yield from _rates(spec)
    if spec.policy_objective.uses("epsilon"):
        yield from _changing("clip range ε", losses.policy.epsilon, losses.policy.schedule)
    if losses.policy.kl_target is not None:
        weight = losses.policy.parameters.get("kl_weight", 1.0)
        rule = _follows(losses.policy.kl_target, "doubled", "halved", 1.5)
        yield Row("kl_weight", weight, "adaptive", rule)
    if spec.networks.critic is not None:
        value = losses.value
        yield from _changing("value coefficient", value.coefficient, value.schedule)
    if losses.entropy.beta:
        yield from _changing("entropy coefficient β", losses.entropy.beta, losses.entropy.schedule)


def _rates(spec: AgentSpec) -> Iterator[Row]:
    """The actor's and the critic's rate, or the one of both."""
    actor, critic = spec.optimizer.actor, spec.optimizer.critic
    region, apart = spec.optimizer.trust_region is not None, spec.networks.critic is not None
    same = (actor.lr, actor.schedule) == (critic.lr, critic.schedule)
    name = "learning rate" if same or not apart else "actor's learning rate"
    if not region and actor.schedule == "adaptive" and actor.kl_target is not None:
        rule = _follows(actor.kl_target, "divided by 1.5", "multiplied by 1.5", 2.0)
        yield Row(name, actor.lr, "adaptive", rule)
    elif not region:
        yield from _changing(name, actor.lr, actor.schedule)
    if region or (apart and not same):
        yield from _changing("critic's learning rate", critic.lr, critic.schedule)


def _follows(target: float, above: str, below: str, slack: float) -> str:
    return (
        f"{above} after an iteration whose KL is above {slack * target:.3g}, {below} after one "
        f"whose KL is below {target / slack:.3g}"
    )


def _changing(name: str, value: float, schedule: Any) -> Iterator[Row]:
    if schedule != "constant":
        yield Row(name, value, schedule)
