"""W202: policy gradients are noisy; large networks on flat observations rarely help."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.advice import LECTURE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

DEEP, WIDE = 3, 512


@rule(
    "W202",
    "networks.actor.layers",
    "networks.critic.layers",
    "networks.critic.share",
    phase=Phase.ADVICE,
)
def networks_are_larger_than_needed(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    networks = resolved.spec.networks
    for name, network in (("actor", networks.actor), ("critic", networks.critic)):
        if network is None or (name == "critic" and getattr(network, "share", None)):
            continue
        if len(network.layers) > DEEP or max(network.layers, default=0) > WIDE:
            yield resolved.diagnostic(
                "W202",
                ("networks", name, "layers"),
                f"the {name} has {len(network.layers)} hidden layers of up to "
                f"{max(network.layers)} units",
                why=f"two layers of 64 to 256 are enough for most flat observations ({LECTURE})",
                help="start small, and grow the network when a smaller one has learnt",
            )
