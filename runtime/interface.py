"""The declared interface of generated modules: all that the runtime and exporting know of one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Interface:
    """The interface of modules of any kind.

    Attributes:
        kind: of the spec, as its key `kind` says.
        version: of the interface; a module is of the version that wrote it.
        stages: name → the function that trains it, in the order in which they run.
        settings: key of the spec, such as `optimizer.actor.lr` → its value.
    """

    kind: ClassVar[str]
    name: str
    seed: int
    device: str
    stages: Mapping[str, Callable[[Any], None]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, kw_only=True)
class AgentInterface(Interface):
    """The interface of an agent's module."""

    kind = "control"


@dataclass(frozen=True, kw_only=True)
class LanguageModelInterface(Interface):
    """The interface of a language model's module."""

    kind = "rlhf"
