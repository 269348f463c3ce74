"""Bodies of networks: what observations go through first, and the hidden layers behind."""

from dataclasses import dataclass

from ppoc.compiler.agent.env.custom import CustomBody
from ppoc.compiler.agent.language.networks import Network
from ppoc.compiler.agent.networks.layers import (
    Custom,
    Kind,
    Layer,
    NetworkError,
    Plain,
    Residual,
    Stage,
)
from ppoc.compiler.emission.literals import Code, literal

# [filters, kernel size, stride] of Mnih et al. 2015, and filters a stage of Espeholt et al. 2018.
NATURE = ([32, 8, 4], [64, 4, 2], [64, 3, 1])
IMPALA = (16, 32, 32)
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
