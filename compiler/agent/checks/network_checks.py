"""Checks of networks, optimisers, schedules and preprocessing; they need no environment."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.front.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ppoc.compiler.agent.language import Network
    from ppoc.compiler.agent.resolved import Resolved

CONVOLUTIONAL = ("nature-cnn", "impala-cnn", "cnn")
CRITIC = ("networks", "critic")


def given(resolved: "Resolved", path: tuple[str, ...]) -> bool:
    """Whether somebody wrote the value at a path, rather than a preset or a default."""
    written = resolved.origin(path).kind in ("spec", "extends", "override")
    return written and not resolved.is_lock


def a_shared_critic_has_no_parts_of_its_own(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E108: `share` and parts of the critic's own contradict each other."""
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
        if given(resolved, (*CRITIC, key)):
            yield resolved.diagnostic(
                "E108",
                (*CRITIC, key),
                f"the critic shares the actor's {_what(critic.share)}, so `{key}` means nothing",
                help=f"remove `{key}`, or remove `share: {critic.share}`",
            )


def _what(share: str) -> str:
    return "layers" if share == "actor" else "body"


def bodies_have_their_parts(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E117: what a kind of body needs, and what means nothing to it."""
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


def memory_fits_the_method(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E118: where a memory can be learnt, and through how many steps."""
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


def _sequences(resolved: "Resolved") -> Iterator[Diagnostic]:
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


def optimizers_have_their_numbers(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E120: numbers of another kind of optimiser; two kinds in one vector of parameters."""
    optimizer = resolved.spec.optimizer
    kinds = {"weight_decay": "adamw", "momentum": "sgd", "decay": "rmsprop"}
    for name, one in (("actor", optimizer.actor), ("critic", optimizer.critic)):
        for key, kind in kinds.items():
            path = ("optimizer", name, key)
            if one.kind != kind and given(resolved, path):
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


def schedules_go_forward(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E121: points of a schedule in order, from 0 to 1."""
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


def preprocessing_is_said_once(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E122: Atari preprocessing beside what it does already."""
    env = resolved.spec.env
    if env.atari is None:
        return
    for key, said in {
        "frame_skip": env.frame_skip > 1,
        "grayscale": env.grayscale,
        "resize": env.resize is not None,
    }.items():
        if said:
            message = f"`atari` has a {key.replace('_', ' ')} of its own"
            inner = "screen_size" if key == "resize" else key
            help = f"remove `{key}`; see `atari.{inner}`"
            yield resolved.diagnostic("E122", ("env", key), message, help=help)


def masks_reach_the_actor(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E123: what action masks work with."""
    spec = resolved.spec
    if not spec.env.action_masks:
        return
    critic = spec.networks.critic
    place = ("env", "action_masks")
    for there, what, help in (
        (spec.networks.actor.body != "mlp", "a body for images", "use `body: mlp`"),
        (
            critic is not None and critic.share is not None,
            "a critic that shares layers",
            "give `networks.critic` its own `layers`",
        ),
        (
            spec.optimizer.cross_entropy is not None,
            "the cross-entropy method",
            "use another `algorithm`",
        ),
        (spec.env.frame_stack > 1, "stacked frames", "set `env.frame_stack: 1`"),
    ):
        if there:
            message = f"action masks do not work with {what} yet"
            yield resolved.diagnostic("E123", place, message, help=help)


def distributions_have_their_numbers(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E124: a standard deviation where there is none, noise that is not drawn."""
    actor = resolved.spec.networks.actor
    path = ("networks", "actor")
    if actor.distribution == "beta" and actor.std != "independent":
        message = "a Beta distribution has no standard deviation"
        help = f"remove `std: {actor.std}`, or take `distribution: gaussian`"
        yield resolved.diagnostic("E124", (*path, "std"), message, help=help)
    if actor.resample_every is not None and actor.std != "gsde":
        message = "noise is drawn at every step unless it is a function of the state"
        help = "remove `resample_every`, or write `std: gsde`"
        yield resolved.diagnostic("E124", (*path, "resample_every"), message, help=help)


NETWORK_CHECKS = (
    a_shared_critic_has_no_parts_of_its_own,
    bodies_have_their_parts,
    memory_fits_the_method,
    optimizers_have_their_numbers,
    schedules_go_forward,
    preprocessing_is_said_once,
    masks_reach_the_actor,
    distributions_have_their_numbers,
)
