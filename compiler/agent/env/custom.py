"""Bodies of networks in a user's own code: a look at one, for its parameters and its size."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ppoc.compiler.agent.env.blame import told
from ppoc.compiler.agent.env.isolation import Desk
from ppoc.compiler.agent.env.looking import look
from ppoc.compiler.agent.env.trust import imported
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import SpecError

IMPORT_SECONDS, CALL_SECONDS = 60.0, 60.0
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class CustomBody:
    """A body in code, as the compiler knows it."""

    network: str  # actor or critic
    code: str
    shapes: Shapes  # name and shape of each parameter
    features: int


@dataclass(frozen=True)
class Made:
    """A body in code, as a child process saw it."""

    shapes: Shapes
    features: int


def custom_body(
    resolved: ResolvedAgent, which: str, shape: tuple[int, ...], folders: Sequence[str]
) -> CustomBody:
    """Make the body of `networks.actor` or `networks.critic` once, and put a sample through it.

    Args:
        shape: of an observation.
        folders: where trusted code lies, besides where Python looks for it.

    Raises:
        SpecError: E119, its code cannot be imported; E117, it is no module that the compiler can
            use, or ends the process that tries it.
    """
    code = getattr(resolved.spec.networks, which).code
    path = ("networks", which, "code")
    see = partial(_see, resolved, path, code, shape, folders)
    made = look(resolved, path, code, see, Made)
    return CustomBody(which, code, made.shapes, made.features)


def _see(
    resolved: ResolvedAgent,
    path: tuple[str, ...],
    code: str,
    shape: tuple[int, ...],
    folders: Sequence[str],
    desk: Desk,
) -> Iterator[Made]:
    """Look at a body, in a process of its own."""
    sys.path += [folder for folder in folders if folder not in sys.path]
    torch = importlib.import_module("torch")  # as the code that is called here does itself
    with desk.doing("E119 its import", IMPORT_SECONDS):
        factory = imported(resolved, path, code)

    def refuse(message: str, help: str) -> SpecError:
        return resolved.spec_error("E117", path, message, help)

    expected = f"write a function of the shape {shape} that returns a torch.nn.Module"
    with desk.doing("E117 its first call", CALL_SECONDS):
        try:
            module = factory(shape)
            output: Any = module(torch.zeros(2, *shape))
            shapes = tuple((name, tuple(value.shape)) for name, value in module.named_parameters())
            buffers = [name for name, _ in module.named_buffers()]
        except BaseException as error:  # whatever the user's code does
            raise refuse(f"`{code}` fails: {told(error)}", expected) from None
    if buffers:
        help = "use layers without running statistics, such as LayerNorm"
        raise refuse(f"`{code}` has buffers: {', '.join(buffers)}", help)
    if len(getattr(output, "shape", ())) != 2 or output.shape[0] != 2:
        raise refuse(f"`{code}` does not give features [N, F]", expected)
    yield Made(shapes, int(output.shape[1]))
