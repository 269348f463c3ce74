"""Actor and critic as functions of the generated module, and the layout of their parameters.

Where they share a part (or have memory), `body` computes features from observations, and both take
those; else each takes observations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ppoc.compiler.agent.env.custom import CustomBody
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.language.networks import Memory
from ppoc.compiler.agent.networks.distributions import GAUSSIANS, LOGITS, Policy
from ppoc.compiler.agent.networks.layers import Body, Layer, Stage, body, hidden_layers
from ppoc.compiler.emission.literals import Code, literal

Std = Literal["independent", "state-dependent", "gsde"]


@dataclass(frozen=True)
class Function:
    """A network function of the generated module."""

    function: Code
    arguments: Code
    result: Code
    doc: Code
    lines: list[Code]
    output: Code


@dataclass(frozen=True)
class Cell:
    """A recurrent layer: its parameters are two affine layers, of its input and of its state."""

    name: str
    kind: str
    size: int
    input: Layer
    hidden: Layer

    @property
    def state_size(self) -> int:
        """S: an LSTM carries its output and its cell, a GRU its output."""
        return self.size * (2 if self.kind == "lstm" else 1)


@dataclass(frozen=True)
class Tower:
    """One network from observations or features to its head."""

    body: Body
    hidden: tuple[Stage, ...]
    head: Layer

    def stages(self) -> list[Stage]:
        return [*self.body.stages, *self.hidden]

    def lines(self, argument: str, kind: Literal["torch", "numpy", "stacked"]) -> list[Code]:
        """One expression a stage, each but the first over `hidden`."""
        lines = self.body.lines(argument) if kind == "torch" else []
        argument = "hidden" if lines else argument
        for stage in self.hidden:
            lines.append(stage.line(argument, kind))
            argument = "hidden"
        return lines

    def last(self, argument: str) -> str:
        """The name of what the head takes."""
        return "hidden" if self.body.stages or self.hidden else argument


@dataclass(frozen=True)
class Networks:
    """Actor and critic of a spec, for observations of a shape and A actions or components."""

    policy: Policy
    std: Std
    actor: Tower
    critic: Tower | None
    shared: Body | None  # what `body` computes, where it does
    after: tuple[Stage, ...]  # shared layers behind the memory
    cells: tuple[Cell, ...]
    slices: tuple[str, str]  # of the features, the parts that actor and critic take
    log_std: Layer | None  # the head of a standard deviation that depends on the state
    log_std_init: float
    actions: int
    observations: int | None  # O, of vectors that a mask follows
    action_values: bool  # the critic is Q(s, a)

    @property
    def continuous(self) -> bool:
        return self.policy not in LOGITS

    @property
    def has_body(self) -> bool:
        """Whether actor and critic take the features that `body` computes."""
        return self.shared is not None

    @property
    def log_std_shape(self) -> tuple[int, ...] | None:
        """The shape of the free parameter log σ, where there is one."""
        if self.policy not in GAUSSIANS or self.std == "state-dependent":
            return None
        if self.std == "gsde":
            return (self.actor.head.inputs, self.actions)
        return (self.actions,)

    @property
    def acts_in_numpy(self) -> bool:
        """Whether the actor is a few matrix products."""
        return (
            not self.cells
            and not self.actor.body.stages
            and not (self.shared and self.shared.images)
        )

    def _parts(self) -> tuple[list[Stage], list[Stage]]:
        shared = [*self.shared.stages] if self.shared else []
        memory, own = (
            [layer for cell in cells for layer in (cell.input, cell.hidden)]
            for cells in (self.cells[:1], self.cells[1:])
        )
        extra: list[Stage] = [self.log_std] if self.log_std else []
        actor = [*shared, *memory, *self.after, *self.actor.stages(), self.actor.head, *extra]
        critic = [*own, *self.critic.stages(), self.critic.head] if self.critic else []
        return actor, critic

    def stages(self) -> list[Stage]:
        """Every part with parameters."""
        actor, critic = self._parts()
        return [*actor, *critic]

    def layers(self) -> list[Layer]:
        """Every affine layer and convolution."""
        return [layer for stage in self.stages() for layer in stage.layers()]

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """The layout of the flat parameter vector: the actor's part, then the critic's."""
        return [*self.actor_shapes(), *(s for stage in self._parts()[1] for s in stage.shapes())]

    def actor_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """The part of the layout that learns at the actor's rate; a shared body is in it."""
        shapes = [shape for stage in self._parts()[0] for shape in stage.shapes()]
        if self.log_std_shape is not None:
            shapes.append(("log_std", self.log_std_shape))
        return shapes

    def initialisers(self) -> list[tuple[str, Code]]:
        """Source that makes each parameter's first value, in the order of the layout."""
        actor, critic = self._parts()
        lines = [line for stage in actor for line in stage.initialisers()]
        if self.log_std_shape is not None:
            value = f"torch.full({literal(self.log_std_shape)}, {literal(self.log_std_init)})"
            lines.append(("log_std", Code(value)))
        return lines + [line for stage in critic for line in stage.initialisers()]

    def torch_functions(self) -> set[str]:
        """The functions of torch.nn.functional that the networks need."""
        used = {"linear"}
        for stage in self.stages():
            used |= stage.functions()
        return used | ({"softplus"} if self.policy == "beta" else set())

    def functions(self) -> list[Function]:
        """The torch functions `body` (where shared), `actor`, and those of the critic."""
        functions = []
        if self.shared is not None and not self.cells:
            lines = self.shared.lines("observations")
            doc = f"Features [..., F] of observations [..., {self._letters}]."
            functions.append(_function("body", "observations", doc, lines[:-1], lines[-1]))
        functions += self._actor_functions()
        if self.critic is not None:
            functions += self._critic_functions(self.critic)
        return functions

    @property
    def _letters(self) -> str:
        """The shape of an observation."""
        images = (self.shared or self.actor.body).images
        return "C, H, W" if images else "O"

    @property
    def _source(self) -> str:
        return "features" if self.has_body else "observations"

    @property
    def _of(self) -> str:
        return f"of {self._source} [..., {'F' if self.has_body else self._letters}]"

    def _inputs(self, which: Literal[0, 1]) -> list[Code]:
        """Lines that take apart what a network is given."""
        if self.cells and self.slices[which]:
            return [Code(f"features = features[..., {self.slices[which]}]")]
        if self.observations is not None and which == 0:
            return [
                Code(
                    f"observations, allowed = observations.tensor_split([{self.observations}], -1)"
                )
            ]
        if self.observations is not None:
            return [Code(f"observations = observations[..., :{self.observations}]")]
        return []

    def _actor_functions(self) -> list[Function]:
        source, of = self._source, self._of
        lines = [*self._inputs(0), *self.actor.lines(source, "torch")]
        head = self.actor.head.affine(self.actor.last(source), "torch")
        if self.policy in LOGITS:
            size = "ΣA" if self.policy == "multi-categorical" else "A"
            if self.observations is not None:
                head = f"torch.where(allowed > 0, {head}, MASKED_LOGIT)"
            return [_function("actor", source, f"Logits [..., {size}] {of}.", lines, head)]
        if self.policy == "beta":
            doc = f"α and β, both above 1 and [..., A], {of}."
            output = f"(1 + softplus({head})).chunk(2, -1)"
            return [_function("actor", source, doc, lines, output, "tuple[Tensor, ...]")]
        pair, doc = "tuple[Tensor, Tensor]", f"Means and log σ, both [..., A], {of}."
        if self.log_std is not None:
            last = self.actor.last(source)
            deviation = f"{self.log_std.affine(last, 'torch')}.clamp(-20, 2)"
            lines.append(Code(f"mean = {head}"))
            return [_function("actor", source, doc, lines, f"mean, {deviation}", pair)]
        if self.std == "gsde":
            return self._exploring(lines, head, doc, pair)
        return [_function("actor", source, f"Means [..., A] {of}.", lines, head)]

    @property
    def has_actor_hidden(self) -> bool:
        """Whether gSDE's noise is a function of a hidden layer of the actor's own."""
        return self.std == "gsde" and self.actor.last(self._source) == "hidden"

    @property
    def exploring_features(self) -> Code:
        """Source of what gSDE's noise is a function of, for the actor's `inputs`."""
        if self.has_actor_hidden:
            return Code("actor_hidden(p, inputs)")
        return Code(f"inputs[..., {self.slices[0]}]" if self.slices[0] else "inputs")

    def _exploring(self, lines: list[Code], head: str, doc: str, pair: str) -> list[Function]:
        """gSDE: noise is linear in the last hidden layer (Raffin et al. 2021, equation 8)."""
        source = self._source
        last = self.actor.last(source)
        inner = []
        if self.has_actor_hidden:
            text = f"The actor's last hidden layer, [..., {self.actor.head.inputs}], {self._of}."
            inner = [_function("actor_hidden", source, text, lines[:-1], lines[-1])]
            lines = [Code(f"hidden = actor_hidden(p, {source})")]
        lines.append(Code(f'variance = {last}.detach() ** 2 @ (2 * p["log_std"]).exp()'))
        output = f"{head}, 0.5 * (variance + 1e-6).log()"
        return [*inner, _function("actor", source, doc, lines, output, pair)]

    def _critic_functions(self, critic: Tower) -> list[Function]:
        source, of = self._source, self._of
        if self.action_values and self.continuous:
            return [self._joint_critic(critic)]
        lines = [*self._inputs(1), *critic.lines(source, "torch")]
        out = critic.head.affine(critic.last(source), "torch")
        if not self.action_values:
            doc = f"Values [...] {of}."
            return [_function("critic", source, doc, lines, f"{out}.squeeze(-1)")]
        every = _function("action_values", source, f"Q(s, ·), [..., A], {of}.", lines, out)
        doc = f"Q(s, a), [...], {of} and actions [...]."
        picked = f"action_values(p, {source}).gather(-1, actions.unsqueeze(-1)).squeeze(-1)"
        return [every, _function("critic", f"{source}, actions", doc, [], picked)]

    def _joint_critic(self, critic: Tower) -> Function:
        """Q(s, a) of continuous actions, which enter behind the convolutions."""
        source = self._source
        encoder = critic.body.lines(source)
        state = "hidden" if encoder else source
        hidden = replace(critic, body=Body((), critic.body.outputs))
        lines = [*encoder, Code(f"inputs = torch.cat([{state}, actions], -1)")]
        lines += hidden.lines("inputs", "torch")
        out = critic.head.affine(hidden.last("inputs"), "torch")
        doc = f"Q(s, a), [...], {self._of} and actions [..., A]."
        return _function("critic", f"{source}, actions", doc, lines, f"{out}.squeeze(-1)")

    def memory_lines(self) -> dict[str, object]:
        """The pieces of `body` where there is a memory."""
        assert self.shared is not None
        encoder = [f"hidden = {line}" for line in self.shared.lines("observations")]
        inputs = "hidden" if encoder else "observations"
        names = ["gates"] if len(self.cells) == 1 else ["actor_gates", "critic_gates"]
        states = ["states"]
        if len(self.cells) == 2:
            size = self.cells[0].state_size
            states = [f"states[..., :{size}]", f"states[..., {size}:]"]
        outputs = [
            f"{state}.chunk(2, -1)[0]" if cell.kind == "lstm" else state
            for cell, state in zip(self.cells, states, strict=True)
        ]
        if self.slices[1] and len(self.cells) == 1:
            outputs.append(inputs)  # a critic without a memory
        joined = outputs[0] if len(outputs) == 1 else f"torch.cat([{', '.join(outputs)}], -1)"
        after = [f"features = {joined}"]
        after += [f"features = {layer.line('features', 'torch')}" for layer in self.after]
        cells = [
            {
                "kind": cell.kind,
                "function": Code(cell.kind if index == 0 else f"critic_{cell.kind}"),
                "hidden": Code(
                    cell.hidden.affine("output" if cell.kind == "lstm" else "state", "torch")
                ),
                "input": Code(cell.input.affine(inputs, "torch")),
                "gates": Code(name),
                "state_size": cell.state_size,
            }
            for index, (cell, name) in enumerate(zip(self.cells, names, strict=True))
        ]
        return {
            "cells": cells,
            "encoder": [Code(line) for line in encoder],
            "after_memory": [Code(line) for line in after],
        }

    def numpy_actor(self, *, stacked: bool = False) -> dict[str, object]:
        """The actor's layers in NumPy, for `act`; `stacked`: with weights of a row's own."""
        kind: Literal["stacked", "numpy"] = "stacked" if stacked else "numpy"
        stages = [*(self.shared.stages if self.shared else ()), *self.actor.hidden]
        argument, hidden = "observations", []
        for stage in stages:
            hidden.append(stage.line(argument, kind))
            argument = "hidden"
        deviation = self.log_std.affine(argument, kind) if self.log_std else None
        return {
            "hidden": hidden,
            "last": Code(argument),
            "output": Code(self.actor.head.affine(argument, kind)),
            "log_std": Code(f"np.clip({deviation}, -20, 2)") if deviation else None,
        }


def _function(
    name: str, inputs: str, doc: str, hidden: list[Code], output: str, result: str = "Tensor"
) -> Function:
    lines = [line if "=" in line.split("(")[0] else Code(f"hidden = {line}") for line in hidden]
    arguments = ", ".join(f"{argument}: Tensor" for argument in inputs.split(", "))
    return Function(Code(name), Code(arguments), Code(result), Code(doc), lines, Code(output))


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
