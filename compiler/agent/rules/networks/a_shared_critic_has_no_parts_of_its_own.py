"""E108: `share` and parts of the critic's own contradict each other."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule

CRITIC = ("networks", "critic")


@rule(
    "E108",
    "networks.actor.body",
    "networks.actor.layers",
    "networks.actor.memory",
    "networks.critic.share",
)
def a_shared_critic_has_no_parts_of_its_own(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    networks = resolved.spec.networks
    critic, actor = networks.critic, networks.actor
    if critic is None or critic.share is None:
        return
    plain = actor.body == "mlp" and actor.memory is None
    if plain and (critic.share == "body" or not actor.layers):
        missing = "hidden layers" if critic.share == "actor" else "convolutions or memory"
        yield resolved.diagnostic(
            "E108",
            (*CRITIC, "share"),
            f"the actor has no {missing} to share",
            help=f"give the actor some, or remove `share: {critic.share}`",
        )
    shared = ["body", "convolutions", "features", "code", "memory"]
    if critic.share == "actor":
        shared += ["layers", "activation", "init"]
    for key in shared:
        if resolved.is_explicit((*CRITIC, key)):
            yield resolved.diagnostic(
                "E108",
                (*CRITIC, key),
                f"the critic shares the actor's {_what(critic.share)}, so `{key}` means nothing",
                help=f"remove `{key}`, or remove `share: {critic.share}`",
            )


def _what(share: str) -> str:
    return "layers" if share == "actor" else "body"
