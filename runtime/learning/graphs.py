"""A function of tensors on a CUDA device, recorded once as a graph and replayed as one launch.

An update of small networks is some twenty kernels of a few microseconds each, less than it takes
Python to launch them. What holds for a recorded function: its shapes never change, it makes no
decision that needs a value on the host, and it changes nothing in place. `update` is such a
function.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ppoc.runtime.learning.structure import Kinds, assemble, flat, kinds, put_together, take_apart

# How often a function runs before it is recorded, so that it is compiled and its memory is there.
WARM_UPS = 3


def record(run: Callable[[], list[Tensor]]) -> tuple[list[Tensor], Callable[[], Any]]:
    """Record what `run` does: its results, and what does it again into the same results."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = run()
    return results, graph.replay


class CudaGraphCall:
    """A function as `record` made it, called with other tensors of the same shapes.

    A graph reads and writes fixed memory. So a call copies its arguments into buffers, but for
    those that were given in the last call too, such as the batch of all updates of an iteration;
    and what it returns are copies, which the next call leaves alone.
    """

    def __init__(self, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
        takes = kinds(arguments)
        self._buffers = [tensor.clone() for tensor in flat(arguments)]
        self._given: list[Tensor] = []
        self._gives: Kinds | None = None

        def run() -> list[Tensor]:
            results, self._gives = take_apart(function(*assemble(takes, self._buffers)))
            return results

        self._results, self._replay = record(run)

    def __call__(self, *arguments: Any) -> Any:
        """The function's result for arguments of the shapes that it was recorded with."""
        given = flat(arguments)
        last: Sequence[Tensor | None] = self._given or [None] * len(given)
        for buffer, tensor, before in zip(self._buffers, given, last, strict=True):
            if tensor is not before:
                buffer.copy_(tensor)
        self._given = given
        self._replay()
        return put_together(self._gives, [tensor.clone() for tensor in self._results])
