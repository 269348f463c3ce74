"""Bodies of networks in a user's own code: a look at one, for its parameters and its size."""

import importlib
from dataclasses import dataclass
from typing import Any

from ppoc.compiler.diagnostics import SpecError
from ppoc.compiler.resolve import Resolved
from ppoc.compiler.trust import imported

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class CustomBody:
    """What the compiler knows of a body in code."""

    network: str  # actor or critic
    code: str
    shapes: Shapes  # name and shape of each parameter
    features: int


def custom_body(resolved: Resolved, which: str, shape: tuple[int, ...]) -> CustomBody:
    """Make the body of `networks.actor` or `networks.critic` once, and put a sample through it.

    Raises:
        SpecError: E119, its code cannot be imported; E117, it is no module that the compiler can
            use.
    """
    torch = importlib.import_module("torch")  # as the code that is called here does itself
    path = ("networks", which, "code")
    network = getattr(resolved.spec.networks, which)
    factory = imported(resolved, path, network.code)

    def refuse(message: str, help: str) -> SpecError:
        return resolved.refusal("E117", path, message, help)

    expected = f"write a function of the shape {shape} that returns a torch.nn.Module"
    try:
        module = factory(shape)
        output: Any = module(torch.zeros(2, *shape))
        shapes = tuple((name, tuple(value.shape)) for name, value in module.named_parameters())
        buffers = [name for name, _ in module.named_buffers()]
    except Exception as error:  # whatever the user's code does
        message = f"`{network.code}` fails: {type(error).__name__}: {error}"
        raise refuse(message.replace("\n", " "), expected) from None
    if buffers:
        help = "use layers without running statistics, such as LayerNorm"
        raise refuse(f"`{network.code}` has buffers: {', '.join(buffers)}", help)
    if len(getattr(output, "shape", ())) != 2 or output.shape[0] != 2:
        raise refuse(f"`{network.code}` does not give features [N, F]", expected)
    return CustomBody(which, network.code, shapes, int(output.shape[1]))
