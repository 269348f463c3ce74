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
    input: Code
    doc: Code
    hidden: list[Code]
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
        """The torch functions `body` (where shared), `actor` and `critic`."""
        parts = "Means [..., A]" if self.continuous else "Logits [..., A]"
        values = "Values [...]"
        source = "features" if self.shared else "observations"
        of = f"of {source} [..., {'F' if self.shared else 'O'}]."
        functions = []
        if self.shared:
            body = self.actor.lines("observations")
            functions.append(
                _function(
                    "body",
                    "observations",
                    "Features [..., F] of observations [..., O].",
                    body[:-1],
                    body[-1],
                )
            )
        heads = (
            ("actor", self.actor, self.actor_head, parts),
            ("critic", self.critic, self.critic_head, values),
        )
        for name, network, head, what in heads:
            if network is None or head is None:
                continue
            hidden = [] if self.shared else network.lines(source)
            out = head.torch(source if self.shared else network.last(source))
            if name == "critic":
                out += ".squeeze(-1)"
            functions.append(_function(name, source, f"{what} {of}", hidden, out))
        return functions

    def numpy_actor(self, argument: str, *, stacked: bool = False) -> dict[str, object]:
        """The actor's layers in NumPy, for `act`; `stacked`: with weights of a row's own."""
        last = self.actor.last(argument)
        head = self.actor_head.stacked(last) if stacked else self.actor_head.numpy(last)
        return {
            "hidden": self.actor.lines(argument, "stacked" if stacked else "numpy"),
            "output": Code(head),
        }


def _function(name: str, source: str, doc: str, hidden: list[Code], output: str) -> Function:
    return Function(Code(name), Code(source), Code(doc), hidden, Code(output))


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
        critic = actor if shared else _body("critic", critic_spec, observations)
        init = actor_spec.init if shared else critic_spec.init
        name = "critic" if shared else f"critic.{len(critic.layers)}"
        critic_head = Layer(name, critic.outputs or observations, 1, init, 1.0)
    return Networks(
        actor=actor,
        critic=critic,
        actor_head=Layer(head, actor.outputs or observations, actions, actor_spec.init, 0.01),
        critic_head=critic_head,
        shared=shared,
        continuous=continuous,
        log_std_init=actor_spec.log_std_init,
    )


def _body(name: str, spec: Network, inputs: int) -> Body:
    layers = []
    for index, outputs in enumerate(spec.layers):
        layers.append(Layer(f"{name}.{index}", inputs, outputs, spec.init, 2**0.5))
        inputs = outputs
    return Body(tuple(layers), spec.activation)
