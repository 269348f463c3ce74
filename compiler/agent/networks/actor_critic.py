"""Actor and critic as functions of the generated module, and the layout of their parameters.

Where they share a part (or have memory), `body` computes features from observations, and both take
those; else each takes observations.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ppoc.compiler.agent.networks.bodies import Body
from ppoc.compiler.agent.networks.distributions import GAUSSIANS, LOGITS, Policy
from ppoc.compiler.agent.networks.layers import Layer, Stage
from ppoc.compiler.agent.networks.towers import Cell, Function, Tower, network_function
from ppoc.compiler.emission.literals import Code, literal

Std = Literal["independent", "state-dependent", "gsde"]


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
            functions.append(network_function("body", "observations", doc, lines[:-1], lines[-1]))
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
            return [network_function("actor", source, f"Logits [..., {size}] {of}.", lines, head)]
        if self.policy == "beta":
            doc = f"α and β, both above 1 and [..., A], {of}."
            output = f"(1 + softplus({head})).chunk(2, -1)"
            return [network_function("actor", source, doc, lines, output, "tuple[Tensor, ...]")]
        pair, doc = "tuple[Tensor, Tensor]", f"Means and log σ, both [..., A], {of}."
        if self.log_std is not None:
            last = self.actor.last(source)
            deviation = f"{self.log_std.affine(last, 'torch')}.clamp(-20, 2)"
            lines.append(Code(f"mean = {head}"))
            return [network_function("actor", source, doc, lines, f"mean, {deviation}", pair)]
        if self.std == "gsde":
            return self._exploring(lines, head, doc, pair)
        return [network_function("actor", source, f"Means [..., A] {of}.", lines, head)]

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
            inner = [network_function("actor_hidden", source, text, lines[:-1], lines[-1])]
            lines = [Code(f"hidden = actor_hidden(p, {source})")]
        lines.append(Code(f'variance = {last}.detach() ** 2 @ (2 * p["log_std"]).exp()'))
        output = f"{head}, 0.5 * (variance + 1e-6).log()"
        return [*inner, network_function("actor", source, doc, lines, output, pair)]

    def _critic_functions(self, critic: Tower) -> list[Function]:
        source, of = self._source, self._of
        if self.action_values and self.continuous:
            return [self._joint_critic(critic)]
        lines = [*self._inputs(1), *critic.lines(source, "torch")]
        out = critic.head.affine(critic.last(source), "torch")
        if not self.action_values:
            doc = f"Values [...] {of}."
            return [network_function("critic", source, doc, lines, f"{out}.squeeze(-1)")]
        every = network_function("action_values", source, f"Q(s, ·), [..., A], {of}.", lines, out)
        doc = f"Q(s, a), [...], {of} and actions [...]."
        picked = f"action_values(p, {source}).gather(-1, actions.unsqueeze(-1)).squeeze(-1)"
        return [every, network_function("critic", f"{source}, actions", doc, [], picked)]

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
        return network_function("critic", f"{source}, actions", doc, lines, f"{out}.squeeze(-1)")

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
