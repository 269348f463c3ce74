"""Parts of networks as source text: their layout, initialisers, and lines in torch and NumPy."""

from dataclasses import dataclass
from math import prod
from typing import Literal, Protocol

from ppoc.compiler.agent.env.custom import CustomBody
from ppoc.compiler.agent.language.networks import Network
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

# [filters, kernel size, stride] of Mnih et al. 2015, and filters a stage of Espeholt et al. 2018.
NATURE = ([32, 8, 4], [64, 4, 2], [64, 3, 1])
IMPALA = (16, 32, 32)


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
            return f"{argument} @ w[{weight}].T + w[{bias}]"
        if kind == "stacked":
            return f'affine(w, "{self.name}", {argument})'
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


RECTIFIED = Plain("torch.relu({})")
POOLED = Plain("max_pool2d({}, 3, stride=2, padding=1)", "max_pool2d")


@dataclass(frozen=True)
class Body:
    """Stages one after another: convolutions of images, then hidden layers."""

    stages: tuple[Stage, ...]
    outputs: int
    images: tuple[Code, ...] = ()  # source of a batch of observations, where stages need one
    axes: int = 3  # of an observation

    def lines(self, argument: str, kind: Kind = "torch") -> list[Code]:
        """One expression a stage, each but the first over `hidden`."""
        lines = [*self.images]
        argument = "hidden" if lines else argument
        for stage in self.stages:
            lines.append(stage.line(argument, kind))
            argument = "hidden"
        if self.images:
            lines.append(Code(f"hidden.unflatten(0, observations.shape[:-{self.axes}])"))
        return lines


def body(
    name: str,
    network: Network,
    shape: tuple[int, ...],
    pixel: float,
    custom: CustomBody | None = None,
) -> Body:
    """The stages of a network over observations of a shape, without its hidden layers.

    Raises:
        NetworkError: the images are too small for the convolutions.
    """
    scale = f" / {literal(pixel)}" if pixel != 1 else ""
    if custom is not None:
        flat = (Code(f"observations.flatten(0, -{len(shape) + 1}).float(){scale}"),)
        stage = Custom(f"{name}.body", f"{custom.network.upper()}_BODY", custom.shapes)
        return Body((stage,), custom.features, flat, len(shape))
    if len(shape) == 1:
        return Body((), shape[0])
    # With the channels last, a first layer of few channels learns five times as fast on CPUs.
    as_floats = f"hidden.to(torch.float32, memory_format=torch.channels_last){scale}"
    images = (Code("observations.flatten(0, -4)"), Code(as_floats))
    residual = network.body == "impala-cnn"
    stages, (channels, height, width) = (_impala if residual else _plain)(name, network, shape)
    features = network.features or (256 if residual else 512)
    inputs = channels * height * width
    dense = Layer(
        f"{name}.features", inputs, features, network.init, 2**0.5, activation="relu", flattens=True
    )
    return Body((*stages, dense), features, images)


def _plain(
    name: str, network: Network, shape: tuple[int, ...]
) -> tuple[list[Stage], tuple[int, int, int]]:
    """Convolutions, each with a rectifier, and the shape of what they give."""
    stages: list[Stage] = []
    channels, height, width = shape
    for index, (filters, kernel, stride) in enumerate(network.convolutions or NATURE):
        if min(height, width) < kernel:
            raise NetworkError(
                f"convolution {index + 1} looks at {kernel}×{kernel}, "
                f"and what reaches it is {height}×{width}"
            )
        height, width = ((side - kernel) // stride + 1 for side in (height, width))
        stages.append(
            Layer(
                f"{name}.conv.{index}",
                channels,
                filters,
                network.init,
                2**0.5,
                activation="relu",
                kernel=kernel,
                stride=stride,
                positions=height * width,
            )
        )
        channels = filters
    return stages, (channels, height, width)


def _impala(
    name: str, network: Network, shape: tuple[int, ...]
) -> tuple[list[Stage], tuple[int, int, int]]:
    """The residual network of Espeholt et al. 2018 (figure 3, right), less its memory."""
    stages: list[Stage] = []
    channels, height, width = shape

    def convolution(part: str, inputs: int, outputs: int) -> Layer:
        return Layer(
            f"{name}.{part}",
            inputs,
            outputs,
            network.init,
            2**0.5,
            kernel=3,
            padding=1,
            positions=height * width,
        )

    for index, filters in enumerate(IMPALA):
        stages += [convolution(f"{index}.conv", channels, filters), POOLED]
        channels = filters
        height, width = ((side + 1) // 2 for side in (height, width))
        for block in range(2):
            first, second = (
                convolution(f"{index}.residual.{block}.{half}", filters, filters)
                for half in range(2)
            )
            stages.append(Residual(f"{name}.{index}.residual.{block}", (first, second)))
    return [*stages, RECTIFIED], (channels, height, width)


def hidden_layers(name: str, network: Network, inputs: int) -> tuple[Stage, ...]:
    """The fully connected hidden layers of a network."""
    layers: list[Stage] = []
    for index, outputs in enumerate(network.layers):
        part = f"{name}.{index}"
        layers.append(
            Layer(part, inputs, outputs, network.init, 2**0.5, activation=network.activation)
        )
        inputs = outputs
    return tuple(layers)


def _gain(gain: float) -> str:
    return "2**0.5" if gain == 2**0.5 else literal(gain)
