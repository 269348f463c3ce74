"""A network body in a user's own code, with its parameters in the flat vector like all others."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from ppoc.runtime.code import named


class CustomBody:
    """A function from the shape of an observation to a torch.nn.Module, by its name.

    Calling it gives features [N, F] of observations [N, *shape] under parameters from a layout.
    """

    def __init__(self, code: str, shape: tuple[int, ...]) -> None:
        self._factory, self._shape = named(code), shape
        self._module = self._made(0)

    @cache  # noqa: B019 - a module has one or two of these, for as long as it lives
    def initial(self, seed: int) -> dict[str, Tensor]:
        """The parameters that the user's code starts from, under a seed of torch."""
        return {name: value.detach() for name, value in self._made(seed).named_parameters()}

    def _made(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            made: nn.Module = self._factory(self._shape)
            return made

    def __call__(self, p: Mapping[str, Tensor], prefix: str, observations: Tensor) -> Tensor:
        """Features [N, F]; `p` holds each parameter under `prefix.name`."""
        names = (name for name, _ in self._module.named_parameters())
        parameters = {name: p[f"{prefix}.{name}"] for name in names}
        features: Tensor = torch.func.functional_call(self._module, parameters, (observations,))
        return features
