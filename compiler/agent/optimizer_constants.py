"""The constants of an agent's optimisers, and of what changes over a run."""

from collections.abc import Iterable
from math import prod
from typing import Any

from ppoc.compiler.agent.language.optimizer import Optimizer, TrustRegion
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.constants import Constant


def optimizer_constants(plan: Plan) -> Iterable[Constant]:
    """Rates, the optimiser's own numbers, and the limits of a step."""
    optimizer, update = plan.spec.optimizer, plan.spec.update
    actor, critic = optimizer.actor, optimizer.critic
    owners = ["actor"] if optimizer.trust_region is None else []
    if optimizer.trust_region is not None:
        actor = critic  # the policy has no gradient steps of its own
        yield from _trust_region_constants(optimizer.trust_region)
    if plan.has_critic:
        owners.append("critic")
    follows, target = "LEARNING_RATE follows it", ("optimizer.actor.kl_target",)
    if split_rate(plan):
        sizes = [size for _, size in plan.networks.actor_shapes()]
        yield Constant("ACTOR_SIZE", sum(prod(s) for s in sizes), "parameters before the critic's")
        yield from scheduled("ACTOR_LEARNING_RATE", actor.lr, actor.schedule, "optimizer.actor.lr")
        if actor.kl_target is not None:
            yield Constant("RATE_KL_TARGET", actor.kl_target, f"ACTOR_{follows}", target)
        key = "optimizer.critic.lr"
        yield from scheduled("CRITIC_LEARNING_RATE", critic.lr, critic.schedule, key)
    else:
        rates = _keys(owners, "lr")
        yield from scheduled("LEARNING_RATE", actor.lr, actor.schedule, rates)
        if actor.kl_target is not None:
            yield Constant("RATE_KL_TARGET", actor.kl_target, follows, target)
    if split_epsilon(plan):
        yield from _kind_constants(actor, ["actor"])
        key = "optimizer.critic.epsilon"
        yield Constant(f"CRITIC_{epsilon_name(plan)}", critic.epsilon, key=key)
    else:
        yield from _kind_constants(actor, owners)
    if optimizer.max_grad_norm is not None:
        yield Constant("MAX_GRAD_NORM", optimizer.max_grad_norm, key="optimizer.max_grad_norm")
    if update.target_kl is not None:
        note = "1.5 times this ends an update early"
        yield Constant("TARGET_KL", update.target_kl, note, "update.target_kl")


def _keys(owners: Iterable[str], name: str) -> tuple[str, ...]:
    """The keys of a value that the optimisers of actor and critic share."""
    return tuple(f"optimizer.{owner}.{name}" for owner in owners)


def _kind_constants(optimizer: Optimizer, owners: Iterable[str]) -> Iterable[Constant]:
    owners = list(owners)
    epsilon = _keys(owners, "epsilon")
    if optimizer.kind in ("adam", "adamw"):
        yield Constant("ADAM_BETA1", 0.9)
        yield Constant("ADAM_BETA2", 0.999)
        yield Constant("ADAM_EPSILON", optimizer.epsilon, key=epsilon)
    if optimizer.kind == "adamw":
        key = _keys(owners, "weight_decay")
        yield Constant("WEIGHT_DECAY", optimizer.weight_decay, key=key)
    if optimizer.kind == "rmsprop":
        yield Constant("RMSPROP_DECAY", optimizer.decay, key=_keys(owners, "decay"))
        yield Constant("RMSPROP_EPSILON", optimizer.epsilon, key=epsilon)
    if optimizer.kind == "sgd" and optimizer.momentum:
        yield Constant("MOMENTUM", optimizer.momentum, key=_keys(owners, "momentum"))


def epsilon_name(plan: Plan) -> str:
    """The name of the constant that holds the optimiser's ε."""
    kind = stepping(plan).kind
    return "RMSPROP_EPSILON" if kind == "rmsprop" else "ADAM_EPSILON"


def stepping(plan: Plan) -> Optimizer:
    """The optimiser that takes gradient steps: under a trust region the critic's."""
    optimizer = plan.spec.optimizer
    return optimizer.critic if optimizer.trust_region is not None else optimizer.actor


def scheduled(
    name: str, value: float, schedule: Any, key: str | tuple[str, ...], note: str = ""
) -> Iterable[Constant]:
    """A constant and, where it follows points, those."""
    falls = {"linear": "falling linearly to 0", "cosine": "falling to 0 along half a cosine"}
    points = isinstance(schedule, list)
    words = "times SCHEDULE's factor" if points else falls.get(str(schedule), "")
    words = words.replace("SCHEDULE", f"{name}_SCHEDULE")
    yield Constant(name, value, ", ".join(part for part in (note, words) if part), key)
    if points:
        yield Constant(
            f"{name}_SCHEDULE", tuple(zip(*schedule, strict=True)), "progress, and factors"
        )


def _trust_region_constants(region: TrustRegion) -> Iterable[Constant]:
    for name, value, key, note in (
        ("KL_LIMIT", region.kl_limit, "kl_limit", "δ, a hard limit on each step of the policy"),
        ("CG_ITERATIONS", region.cg_iterations, "cg_iterations", ""),
        ("CG_DAMPING", region.damping, "damping", "on the diagonal of the Fisher matrix"),
        ("BACKTRACKS", region.backtracks, "backtracks", "step lengths the line search tries"),
        ("BACKTRACK_RATIO", region.backtrack_ratio, "backtrack_ratio", ""),
    ):
        yield Constant(name, value, note, f"optimizer.trust_region.{key}")


def split_epsilon(plan: Plan) -> bool:
    """Whether actor and critic have different ε in the optimiser."""
    optimizer = plan.spec.optimizer
    if not plan.has_critic or optimizer.trust_region is not None or optimizer.actor.kind == "sgd":
        return False
    return optimizer.actor.epsilon != optimizer.critic.epsilon


def split_rate(plan: Plan) -> bool:
    """Whether actor and critic move at different rates in one vector of parameters."""
    if not plan.has_critic or plan.spec.optimizer.trust_region is not None:
        return False
    actor, critic = plan.spec.optimizer.actor, plan.spec.optimizer.critic
    return (actor.lr, actor.schedule) != (critic.lr, critic.schedule) or split_epsilon(plan)
