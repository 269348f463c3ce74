"""Multi-layer perceptrons as source text: layouts, initialisers, layers in torch and NumPy."""

from dataclasses import dataclass
from typing import Literal

from ppoc.compiler.language import AgentSpec, Network
from ppoc.compiler.literals import Code, literal

# Each activation as torch and as NumPy source, around the text of its argument.
ACTIVATIONS = {
    "tanh": ("torch.tanh({})", "np.tanh({})"),
    "relu": ("torch.relu({})", "np.maximum({}, 0)"),
    "elu": ("elu({})", "runtime.elu({})"),
    "silu": ("silu({})", "runtime.silu({})"),
}


@dataclass(frozen=True)
class Layer:
    """One affine layer: its name in the parameter layout, its sizes, and how it starts."""

    name: str
    inputs: int
    outputs: int
    init: str
    gain: float

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [
            (f"{self.name}.weight", (self.outputs, self.inputs)),
            (f"{self.name}.bias", (self.outputs,)),
        ]

    def initialisers(self) -> list[tuple[str, Code]]:
        sizes = f"{self.outputs}, {self.inputs}"
        if self.init == "orthogonal":
            weight = f"runtime.orthogonal({sizes}, gain={_gain(self.gain)}, generator=generator)"
            bias = f"torch.zeros({self.outputs})"
        else:
            tail = f"fan_in={self.inputs}, generator=generator)"
            weight = f"runtime.uniform({sizes}, {tail}"
            bias = f"runtime.uniform({self.outputs}, {tail}"
        return [(f"{self.name}.weight", Code(weight)), (f"{self.name}.bias", Code(bias))]

    def torch(self, argument: str) -> str:
        return f'linear({argument}, p["{self.name}.weight"], p["{self.name}.bias"])'

    def stacked(self, argument: str) -> str:
        return f'affine(w, "{self.name}", {argument})'

    def numpy(self, argument: str) -> str:
        return f'{argument} @ w["{self.name}.weight"].T + w["{self.name}.bias"]'


@dataclass(frozen=True)
class Body:
    """Hidden layers with one activation, over an input of a given name."""

    layers: tuple[Layer, ...]
    activation: str

    def lines(
        self, argument: str, kind: Literal["torch", "numpy", "stacked"] = "torch"
    ) -> list[Code]:
        """One expression a layer, each but the first over `hidden`."""
        lines = []
        for layer in self.layers:
            affine = getattr(layer, kind)(argument)
            lines.append(Code(ACTIVATIONS[self.activation][kind != "torch"].format(affine)))
            argument = "hidden"
        return lines

    def last(self, argument: str) -> str:
        """The name of what the body computes: its input where it has no layers."""
        return "hidden" if self.layers else argument

    @property
    def outputs(self) -> int | None:
        return self.layers[-1].outputs if self.layers else None


@dataclass(frozen=True)
class Function:
    """A network function of the generated module."""

    function: Code
    arguments: Code
    doc: Code
    lines: list[Code]
    output: Code


@dataclass(frozen=True)
class Networks:
    """Actor and critic of a spec, for O observation and A action components."""

    actor: Body
    critic: Body | None
    actor_head: Layer
    critic_head: Layer | None
    shared: bool
    continuous: bool
    log_std_init: float
    action_values: bool = False  # the critic is Q(s, a)

    def _groups(self) -> tuple[list[Layer], list[Layer]]:
        critic = [*self.critic.layers] if self.critic and not self.shared else []
        head = [self.critic_head] if self.critic_head else []
        return [*self.actor.layers, self.actor_head], [*critic, *head]

    def layers(self) -> list[Layer]:
        """Every affine layer."""
        actor, critic = self._groups()
        return [*actor, *critic]

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """The layout of the flat parameter vector: the actor's part, then the critic's."""
        return [*self.actor_shapes(), *(s for layer in self._groups()[1] for s in layer.shapes())]

    def actor_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """The part of the layout that learns at the actor's rate; a shared body is in it."""
        shapes = [s for layer in self._groups()[0] for s in layer.shapes()]
        if self.continuous:
            shapes.append(("log_std", (self.actor_head.outputs,)))
        return shapes

    def initialisers(self) -> list[tuple[str, Code]]:
        """Source that makes each parameter's first value, in the order of the layout."""
        actor, critic = self._groups()
        lines = [line for layer in actor for line in layer.initialisers()]
        if self.continuous:
            value = literal(self.log_std_init)
            lines.append(("log_std", Code(f"torch.full(({self.actor_head.outputs},), {value})")))
        return lines + [line for layer in critic for line in layer.initialisers()]

    def functions(self) -> list[Function]:
        """The torch functions `body` (where shared), `actor`, and those of the critic."""
        source = "features" if self.shared else "observations"
        of = f"of {source} [..., {'F' if self.shared else 'O'}]"
        functions = []
        if self.shared:
            lines = self.actor.lines("observations")
            doc = "Features [..., F] of observations [..., O]."
            functions.append(_function("body", "observations", doc, lines[:-1], lines[-1]))
        parts = "Means [..., A]" if self.continuous else "Logits [..., A]"
        hidden = [] if self.shared else self.actor.lines(source)
        out = self.actor_head.torch(source if self.shared else self.actor.last(source))
        functions.append(_function("actor", source, f"{parts} {of}.", hidden, out))
        if self.critic is not None and self.critic_head is not None:
            functions += self._critic_functions(self.critic, self.critic_head, source, of)
        return functions

    def _critic_functions(self, critic: Body, head: Layer, source: str, of: str) -> list[Function]:
        joint = self.action_values and self.continuous
        inputs = "inputs" if joint else source
        lines = [] if self.shared else critic.lines(inputs)
        out = head.torch(inputs if self.shared else critic.last(inputs))
        if not self.action_values:
            doc = f"Values [...] {of}."
            return [_function("critic", source, doc, lines, f"{out}.squeeze(-1)")]
        both, doc = f"{source}, actions", f"Q(s, a), [...], {of} and actions [...{{}}]."
        if joint:
            lines = [Code(f"inputs = torch.cat([{both}], -1)"), *lines]
            return [_function("critic", both, doc.format(", A"), lines, f"{out}.squeeze(-1)")]
        every = _function("action_values", source, f"Q(s, ·), [..., A], {of}.", lines, out)
        picked = f"action_values(p, {source}).gather(-1, actions.unsqueeze(-1)).squeeze(-1)"
        return [every, _function("critic", both, doc.format(""), [], picked)]

    def numpy_actor(self, argument: str, *, stacked: bool = False) -> dict[str, object]:
        """The actor's layers in NumPy, for `act`; `stacked`: with weights of a row's own."""
        last = self.actor.last(argument)
        head = self.actor_head.stacked(last) if stacked else self.actor_head.numpy(last)
        return {
            "hidden": self.actor.lines(argument, "stacked" if stacked else "numpy"),
            "output": Code(head),
        }


def _function(name: str, inputs: str, doc: str, hidden: list[Code], output: str) -> Function:
    lines = [line if "=" in line.split("(")[0] else Code(f"hidden = {line}") for line in hidden]
    arguments = ", ".join(f"{argument}: Tensor" for argument in inputs.split(", "))
    return Function(Code(name), Code(arguments), Code(doc), lines, Code(output))


def _gain(gain: float) -> str:
    return "2**0.5" if gain == 2**0.5 else literal(gain)


def build(spec: AgentSpec, observations: int, actions: int, continuous: bool) -> Networks:
    """The networks of a spec.

    Gains are √2 for hidden layers, 0.01 for the policy's head and 1 for the value's (Huang et al.
    2022, The 37 implementation details of PPO, detail 2).
    """
    actor_spec, critic_spec = spec.networks.actor, spec.networks.critic
    shared = critic_spec is not None and critic_spec.share is not None
    actor = _body("body" if shared else "actor", actor_spec, observations)
    head = "actor" if shared else f"actor.{len(actor.layers)}"
    critic, critic_head = None, None
    if critic_spec is not None:
        q = spec.advantage.estimator == "q"
        joint, every = q and continuous, q and not continuous
        critic_inputs = observations + (actions if joint else 0)
        critic = actor if shared else _body("critic", critic_spec, critic_inputs)
        init = actor_spec.init if shared else critic_spec.init
        name = "critic" if shared else f"critic.{len(critic.layers)}"
        if shared and joint:
            inputs = (actor.outputs or observations) + actions
        else:
            inputs = critic.outputs or critic_inputs
        critic_head = Layer(name, inputs, actions if every else 1, init, 1.0)
    return Networks(
        actor=actor,
        critic=critic,
        actor_head=Layer(head, actor.outputs or observations, actions, actor_spec.init, 0.01),
        critic_head=critic_head,
        shared=shared,
        continuous=continuous,
        log_std_init=actor_spec.log_std_init,
        action_values=spec.advantage.estimator == "q",
    )


def _body(name: str, spec: Network, inputs: int) -> Body:
    layers = []
    for index, outputs in enumerate(spec.layers):
        layers.append(Layer(f"{name}.{index}", inputs, outputs, spec.init, 2**0.5))
        inputs = outputs
    return Body(tuple(layers), spec.activation)
