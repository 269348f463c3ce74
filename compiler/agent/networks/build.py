"""From a spec and an environment's shapes to its networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ppoc.compiler.agent.env.custom import CustomBody
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.language.networks import Memory
from ppoc.compiler.agent.networks.actor_critic import Networks
from ppoc.compiler.agent.networks.bodies import Body, body, hidden_layers
from ppoc.compiler.agent.networks.distributions import GAUSSIANS, LOGITS, Policy
from ppoc.compiler.agent.networks.layers import Layer, Stage
from ppoc.compiler.agent.networks.towers import Cell, Tower


@dataclass(frozen=True)
class Interface:
    """The demands of the environment and the spec on the networks."""

    shape: tuple[int, ...]  # of an observation: (O,) or (C, H, W)
    pixel: float  # the largest value of a pixel
    policy: Policy
    actions: int  # A: logits in all, or components
    masks: bool
    custom: Mapping[str, CustomBody] = field(default_factory=dict)  # of actor and critic


def build(spec: AgentSpec, asked: Interface) -> Networks:
    """The networks of a spec.

    Gains are √2 for hidden layers, 0.01 for the policy's head and 1 for the value's (Huang et al.
    2022, The 37 implementation details of PPO, detail 2).

    Raises:
        NetworkError: the images are too small for the convolutions.
    """
    actor_spec, critic_spec = spec.networks.actor, spec.networks.critic
    share = critic_spec.share if critic_spec else None
    shared: Body | None = None
    after: tuple[Stage, ...] = ()
    cells: tuple[Cell, ...] = ()
    slices, feeds = ("", ""), (0, 0)
    if actor_spec.memory is not None:
        shared = body("body", actor_spec, asked.shape, asked.pixel, asked.custom.get("actor"))
        cells, slices, feeds = _memory(spec, actor_spec.memory, shared.outputs)
    elif share:
        shared = body("body", actor_spec, asked.shape, asked.pixel, asked.custom.get("actor"))
        feeds = (shared.outputs, shared.outputs)
    if shared is not None and share == "actor":
        after = hidden_layers("body", actor_spec, feeds[0])
        outputs = actor_spec.layers[-1] if actor_spec.layers else feeds[0]
        feeds = (outputs, outputs)
        if not cells:
            shared, after = replace(shared, stages=(*shared.stages, *after)), ()

    def tower(name: str, index: Literal[0, 1], outputs: int, gain: float, more: int = 0) -> Tower:
        network = (
            actor_spec if index == 0 or share == "actor" or critic_spec is None else critic_spec
        )
        own = (
            Body((), feeds[index])
            if shared
            else body(name, network, asked.shape, asked.pixel, asked.custom.get(name))
        )
        bare = share == "actor"
        hidden = () if bare else hidden_layers(name, network, own.outputs + more)
        inputs = network.layers[-1] if hidden else own.outputs + more
        head = name if bare else f"{name}.{len(hidden)}"
        return Tower(own, hidden, Layer(head, inputs, outputs, network.init, gain))

    policy = asked.policy
    std = actor_spec.std if policy in GAUSSIANS else "independent"
    actor = tower("actor", 0, asked.actions * (2 if policy == "beta" else 1), 0.01)
    q, continuous = spec.advantage.estimator == "q", policy not in LOGITS
    critic = None
    if critic_spec is not None:
        every = asked.actions if q and not continuous else 1
        critic = tower("critic", 1, every, 1.0, asked.actions if q and continuous else 0)
    log_std = None
    if std == "state-dependent":
        log_std = Layer(
            "log_std",
            actor.head.inputs,
            asked.actions,
            actor_spec.init,
            0.01,
            bias=actor_spec.log_std_init,
        )
    return Networks(
        policy=policy,
        std=std,
        actor=actor,
        critic=critic,
        shared=shared,
        after=after,
        cells=cells,
        slices=slices,
        log_std=log_std,
        log_std_init=actor_spec.log_std_init,
        actions=asked.actions,
        observations=asked.shape[0] if asked.masks else None,
        action_values=q,
    )


def _memory(
    spec: AgentSpec, memory: Memory, inputs: int
) -> tuple[tuple[Cell, ...], tuple[str, str], tuple[int, int]]:
    """The cells, the parts of the features that actor and critic take, and their sizes."""
    critic = spec.networks.critic
    own = critic is not None and critic.share is None
    init = spec.networks.actor.init
    actor = _cell(
        "body.memory" if critic and critic.share else "actor.memory", memory, inputs, init
    )
    if critic is None or not own:
        return (actor,), ("", ""), (actor.size, actor.size)
    slices = (f":{actor.size}", f"{actor.size}:")
    if critic.memory is None:
        return (actor,), slices, (actor.size, inputs)
    other = _cell("critic.memory", critic.memory, inputs, critic.init)
    return (actor, other), slices, (actor.size, other.size)


def _cell(name: str, memory: Memory, inputs: int, init: str) -> Cell:
    gates = memory.size * (4 if memory.kind == "lstm" else 3)
    first = Layer(f"{name}.input", inputs, gates, init, 1.0)
    return Cell(
        name,
        memory.kind,
        memory.size,
        first,
        Layer(f"{name}.hidden", memory.size, gates, init, 1.0),
    )
