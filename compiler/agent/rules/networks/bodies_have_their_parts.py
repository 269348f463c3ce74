"""E117: a body without what it needs, or with what means nothing to it."""

from collections.abc import Iterator

from ppoc.compiler.agent.language.networks import CONVOLUTIONAL, Network
from ppoc.compiler.agent.networks.layers import NetworkError
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

CRITIC = ("networks", "critic")
ACTOR = ("networks", "actor")


@rule(
    "E117",
    "networks.actor.body",
    "networks.actor.code",
    "networks.actor.convolutions",
    "networks.actor.features",
    "networks.actor.memory",
    "networks.critic.body",
    "networks.critic.code",
    "networks.critic.convolutions",
    "networks.critic.features",
    "networks.critic.share",
)
def bodies_have_their_parts(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """Each kind of body has what it needs, and nothing that means nothing to it."""
    networks = resolved.spec.networks
    both: dict[str, Network] = {"actor": networks.actor}
    if networks.critic is not None and networks.critic.share is None:
        both["critic"] = networks.critic
    for name, network in both.items():
        path = ("networks", name)
        if network.body == "cnn" and not network.convolutions:
            help = "add `convolutions: [[32, 8, 4], [64, 4, 2]]`, or take `body: nature-cnn`"
            yield resolved.diagnostic(
                "E117", (*path, "body"), "`cnn` needs `convolutions`", help=help
            )
        if network.convolutions and network.body != "cnn":
            message = f"`{network.body}` has no convolutions of yours"
            help = "write `body: cnn`, or remove `convolutions`"
            yield resolved.diagnostic("E117", (*path, "convolutions"), message, help=help)
        if network.features is not None and network.body not in CONVOLUTIONAL:
            message = f"`{network.body}` has no layer after its convolutions"
            help = "remove `features`; the widths of hidden layers are `layers`"
            yield resolved.diagnostic("E117", (*path, "features"), message, help=help)
        if (network.body == "custom") != (network.code is not None):
            key = "body" if network.body == "custom" else "code"
            message = "`body: custom` and `code` need each other"
            help = "give both, such as `body: custom` with `code: my_package.networks:body`"
            yield resolved.diagnostic("E117", (*path, key), message, help=help)
    if "critic" in both and networks.actor.memory is None:
        images = [network.body != "mlp" for network in both.values()]
        if images[0] != images[1]:
            yield resolved.diagnostic(
                "E117",
                (*CRITIC, "body"),
                "actor and critic look at the same observations, and only one takes images",
                why=f"the actor's body is `{networks.actor.body}`, the critic's "
                f"`{both['critic'].body}`",
                help="write `critic: {share: body, layers: []}`, or give both the same body",
            )


@rule(
    "E117",
    "advantage.estimator",
    "env.action_masks",
    "networks.*",
    "optimizer.cross_entropy",
    phase=Phase.PLANNED,
)
def convolutions_fit_the_image(resolved: ResolvedAgent, plan: Plan) -> Iterator[Diagnostic]:
    """Convolutions of which nothing is left of an image."""
    try:
        plan.networks  # noqa: B018 - building them checks them
    except NetworkError as error:
        help = "take larger images (`env.resize`), or other `convolutions`"
        yield resolved.diagnostic("E117", (*ACTOR, "body"), str(error), help=help)
