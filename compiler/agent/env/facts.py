"""Facts that the compiler learns of an environment by making it once."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

from ppoc.compiler.agent.env.observed import NOTHING, Observed

Layers = tuple[tuple[str, dict[str, Any]], ...]
Outline = tuple[Any, ...]  # of a space, in literals; see `spaces.outline`


@dataclass(frozen=True)
class EnvFacts:
    """The facts that the compiler needs of an environment."""

    env_id: str  # as the backend calls it
    backend: str  # gymnasium, envpool or torch
    shape: tuple[int, ...]  # of an observation: (O,), or (C, H, W) of images
    action_kind: str  # discrete, multi-discrete, binary or continuous
    action_size: int  # A: number of choices, in all, or of components
    choices: tuple[int, ...] = ()  # of each component of multi-discrete actions
    action_low: tuple[float, ...] = ()  # of continuous actions; may be infinite
    action_high: tuple[float, ...] = ()
    pixel: float = 1.0  # the largest value in an image
    reward_range: float = 0.0  # the largest |reward| of some random steps
    observed: Observed = NOTHING  # of those steps
    wrappers: Layers = ()  # around a gymnasium environment
    options: dict[str, Any] = field(default_factory=dict)  # as the backend calls them
    package: str | None = None  # to import, so that the environment is registered
    code_folders: tuple[str, ...] = ()  # where code was found beside the spec
    observation_space: Outline = ()  # before wrappers that only lay observations out
    action_space: Outline = ()
    pooled_spaces: tuple[Outline, Outline] | None = None  # envpool's, of other types and bounds
    time_limit: int | None = None  # steps within which every episode ends, if anybody says so

    @property
    def images(self) -> bool:
        return len(self.shape) == 3

    @property
    def announced(self) -> tuple[Outline, Outline]:
        """The spaces of observations and actions that the backend says it has."""
        own = (self.observation_space, self.action_space)
        return self.pooled_spaces or own if self.backend == "envpool" else own

    @property
    def observation_size(self) -> int:
        """O, components of an observation."""
        return prod(self.shape)
