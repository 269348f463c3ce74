"""E118: where a memory can be learnt, and through how many steps."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule

CRITIC = ("networks", "critic")


@rule(
    "E118",
    "advantage.estimator",
    "env.action_masks",
    "env.num_envs",
    "networks.actor.body",
    "networks.actor.memory",
    "networks.critic.memory",
    "networks.critic.share",
    "optimizer.cross_entropy",
    "optimizer.trust_region",
    "update.buffer",
    "update.minibatch_size",
    "update.rollout_steps",
    "update.sequence_length",
)
def memory_fits_the_method(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    networks, update = spec.networks, spec.update
    place = ("networks", "actor", "memory")
    critic = networks.critic
    if networks.actor.memory is None:
        if critic is not None and critic.memory is not None:
            message = "only the critic has a memory"
            help = "give `networks.actor.memory` too, or remove the critic's"
            yield resolved.diagnostic("E118", (*CRITIC, "memory"), message, help=help)
        if update.sequence_length is not None:
            message = "without a memory, sequence_length means nothing"
            help = "remove it, or give `networks.actor.memory`"
            yield resolved.diagnostic("E118", ("update", "sequence_length"), message, help=help)
        return
    for name, there in {
        "a trust region": spec.optimizer.trust_region,
        "the cross-entropy method": spec.optimizer.cross_entropy,
        "a buffer of old rollouts": update.buffer,
        "the estimator q": spec.advantage.estimator == "q" or None,
        "action masks": spec.env.action_masks or None,
    }.items():
        if there is not None:
            message = f"{name} does not work with a memory"
            help = "remove one of the two; PPO and A2C learn memories"
            yield resolved.diagnostic("E118", place, message, help=help)
    if critic is not None and critic.share is None and networks.actor.body != "mlp":
        message = "with a memory over images, the critic shares the actor's body"
        help = "write `critic: {share: body, layers: []}`"
        yield resolved.diagnostic("E118", CRITIC, message, help=help)
    yield from _sequences(resolved)


def _sequences(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    update, envs = resolved.spec.update, resolved.spec.env.num_envs
    length = update.sequence_length
    if length is None or update.rollout_steps % envs:
        return
    steps = update.rollout_steps // envs
    whole = update.minibatch_size == "all"
    minibatch = update.rollout_steps if whole else update.minibatch_size
    if steps % length or int(minibatch) % length:
        yield resolved.diagnostic(
            "E118",
            ("update", "sequence_length"),
            f"sequences of {length} steps do not divide {steps} steps and minibatches of "
            f"{minibatch}",
            why="a minibatch is made of whole sequences, cut from the rollout of one environment",
            help="take a divisor of both, or null",
        )
