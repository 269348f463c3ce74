"""Parts of networks as source text: their layout, initialisers, and lines in torch and NumPy."""

from dataclasses import dataclass
from math import prod
from typing import Literal, Protocol

from ppoc.compiler.emission.literals import Code, literal

# Each activation as torch and as NumPy source, around the text of its argument.
ACTIVATIONS = {
    "tanh": ("torch.tanh({})", "np.tanh({})"),
    "relu": ("torch.relu({})", "np.maximum({}, 0)"),
    "elu": ("elu({})", "runtime.elu({})"),
    "silu": ("silu({})", "runtime.silu({})"),
    "gelu": ("gelu({})", "runtime.gelu({})"),
    "leaky_relu": ("leaky_relu({})", "runtime.leaky_relu({})"),
}


class NetworkError(Exception):
    """A network that cannot be built for the observations; its text says why."""


Kind = Literal["torch", "numpy", "stacked"]


class Stage(Protocol):
    """A part of a network with parameters of its own, written as one line of source."""

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Its part of the layout."""

    def initialisers(self) -> list[tuple[str, Code]]:
        """Source of the first value of each of `shapes`."""

    def line(self, argument: str, kind: Kind) -> Code:
        """Source of its output for the text of its input."""

    def layers(self) -> "list[Layer]":
        """Its affine layers and convolutions."""

    def functions(self) -> set[str]:
        """The functions of torch.nn.functional that it needs."""


@dataclass(frozen=True)
class Layer:
    """One affine layer: its name in the parameter layout, its sizes, and how it starts."""

    name: str
    inputs: int
    outputs: int
    init: str
    gain: float
    bias: float = 0.0
    activation: str | None = None
    kernel: int | None = None  # of a convolution, over `inputs` channels
    stride: int = 1
    padding: int = 0
    positions: int = 1  # of an image, at each of which it is computed
    flattens: bool = False  # its input is an image

    def _weight(self) -> tuple[int, ...]:
        square = () if self.kernel is None else (self.kernel, self.kernel)
        return (self.outputs, self.inputs, *square)

    @property
    def _wide(self) -> bool:
        return self.init == "xavier" and self.kernel is not None

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one sample."""
        return self.positions * prod(self._weight())

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(f"{self.name}.weight", self._weight()), (f"{self.name}.bias", (self.outputs,))]

    def initialisers(self) -> list[tuple[str, Code]]:
        fan_in = prod(self._weight()[1:])
        sizes = f"{self.outputs}, {fan_in}"
        bias = f"torch.zeros({self.outputs})"
        if self.bias:
            bias = f"torch.full(({self.outputs},), {literal(self.bias)})"
        if self.init == "default":
            tail = f"fan_in={fan_in}, generator=generator)"
            weight = f"runtime.uniform({sizes}, {tail}"
            bias = f"runtime.uniform({self.outputs}, {tail}"
        else:
            # As torch.nn.init has it, a kernel's positions count on the way out as well.
            fan = f"fan_out={self.outputs * prod(self._weight()[2:])}, " if self._wide else ""
            tail = f"{fan}gain={_gain(self.gain)}, generator=generator)"
            weight = f"runtime.{self.init}({sizes}, {tail}"
        if self.kernel is not None:
            weight += f".view{self._weight()}"
        return [(f"{self.name}.weight", Code(weight)), (f"{self.name}.bias", Code(bias))]

    def affine(self, argument: str, kind: Kind) -> str:
        """Its output before the activation."""
        weight, bias = f'"{self.name}.weight"', f'"{self.name}.bias"'
        if kind == "numpy":
            return f"{argument} @ weights[{weight}].T + weights[{bias}]"
        if kind == "stacked":
            return f'affine(weights, "{self.name}", {argument})'
        if self.kernel is None:
            argument = f"{argument}.flatten(1)" if self.flattens else argument
            return f"linear({argument}, p[{weight}], p[{bias}])"
        stride = f", stride={self.stride}" if self.stride > 1 else ""
        padding = f", padding={self.padding}" if self.padding else ""
        return f"conv2d({argument}, p[{weight}], p[{bias}]{stride}{padding})"

    def line(self, argument: str, kind: Kind) -> Code:
        affine = self.affine(argument, kind)
        if self.activation is None:
            return Code(affine)
        return Code(ACTIVATIONS[self.activation][kind != "torch"].format(affine))

    def layers(self) -> "list[Layer]":
        return [self]

    def functions(self) -> set[str]:
        own = {self.activation} & {"elu", "silu", "gelu", "leaky_relu"}
        return {"linear" if self.kernel is None else "conv2d", *(name for name in own if name)}


@dataclass(frozen=True)
class Residual:
    """Two convolutions added to their input: `residual` of the generated module."""

    name: str
    parts: tuple[Layer, Layer]

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [shape for part in self.parts for shape in part.shapes()]

    def initialisers(self) -> list[tuple[str, Code]]:
        return [line for part in self.parts for line in part.initialisers()]

    def line(self, argument: str, kind: Kind) -> Code:
        return Code(f'residual(p, "{self.name}", {argument})')

    def layers(self) -> list[Layer]:
        return [*self.parts]

    def functions(self) -> set[str]:
        return {"conv2d"}


@dataclass(frozen=True)
class Plain:
    """A stage without parameters: source around the text of its argument."""

    source: str
    needs: str | None = None

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return []

    def initialisers(self) -> list[tuple[str, Code]]:
        return []

    def line(self, argument: str, kind: Kind) -> Code:
        return Code(self.source.format(argument))

    def layers(self) -> list[Layer]:
        return []

    def functions(self) -> set[str]:
        return {self.needs} if self.needs else set()


@dataclass(frozen=True)
class Custom:
    """A body in a user's own code, called with parameters from the layout."""

    name: str
    variable: str  # of the generated module
    parameters: tuple[tuple[str, tuple[int, ...]], ...]

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(f"{self.name}.{name}", shape) for name, shape in self.parameters]

    def initialisers(self) -> list[tuple[str, Code]]:
        values = f"{self.variable}.initial(seed)"
        return [
            (f"{self.name}.{name}", Code(f"{values}[{literal(name)}]"))
            for name, _ in self.parameters
        ]

    def line(self, argument: str, kind: Kind) -> Code:
        return Code(f'{self.variable}(p, "{self.name}", {argument})')

    def layers(self) -> list[Layer]:
        return []

    def functions(self) -> set[str]:
        return set()


def _gain(gain: float) -> str:
    return "2**0.5" if gain == 2**0.5 else literal(gain)
