"""Parts of actor and critic: functions of the module, recurrent cells, towers of layers."""

from dataclasses import dataclass
from typing import Literal

from ppoc.compiler.agent.networks.bodies import Body
from ppoc.compiler.agent.networks.layers import Layer, Stage
from ppoc.compiler.emission.literals import Code


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


def network_function(
    name: str, inputs: str, doc: str, hidden: list[Code], output: str, result: str = "Tensor"
) -> Function:
    """A function of the module that applies hidden layers and an output to its inputs."""
    lines = [line if "=" in line.split("(")[0] else Code(f"hidden = {line}") for line in hidden]
    arguments = ", ".join(f"{argument}: Tensor" for argument in inputs.split(", "))
    return Function(Code(name), Code(arguments), Code(result), Code(doc), lines, Code(output))
