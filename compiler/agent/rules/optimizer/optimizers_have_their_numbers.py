"""E120: numbers of another kind of optimiser; two kinds in one vector of parameters."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule(
    "E120",
    "networks.critic",
    "optimizer.actor.decay",
    "optimizer.actor.kind",
    "optimizer.actor.momentum",
    "optimizer.actor.weight_decay",
    "optimizer.critic.decay",
    "optimizer.critic.kind",
    "optimizer.critic.momentum",
    "optimizer.critic.weight_decay",
    "optimizer.trust_region",
)
def optimizers_have_their_numbers(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    optimizer = resolved.spec.optimizer
    kinds = {"weight_decay": "adamw", "momentum": "sgd", "decay": "rmsprop"}
    for name, one in (("actor", optimizer.actor), ("critic", optimizer.critic)):
        for key, kind in kinds.items():
            path = ("optimizer", name, key)
            if one.kind != kind and resolved.is_explicit(path):
                message = f"`{key}` means nothing to {one.kind}"
                help = f"remove it, or write `kind: {kind}`"
                yield resolved.diagnostic("E120", path, message, help=help)
    if optimizer.trust_region is not None or resolved.spec.networks.critic is None:
        return
    keys = ("kind", *kinds)
    differ = [k for k in keys if getattr(optimizer.actor, k) != getattr(optimizer.critic, k)]
    for key in differ:
        yield resolved.diagnostic(
            "E120",
            ("optimizer", "critic", key),
            f"actor and critic have one optimiser, and two values of `{key}`",
            help="rates, schedules and epsilon may differ; give the rest once, at the actor",
        )
