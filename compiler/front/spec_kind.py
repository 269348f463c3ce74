"""The kinds of spec: each a language of its own, with its checks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ppoc.compiler.front.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ppoc.compiler.front.spec import Document

KINDS = ("control", "rlhf")  # the first is that of a spec which does not say


@dataclass(frozen=True)
class Kind:
    """What makes a kind of spec."""

    name: str
    model: type[BaseModel]
    required: Mapping[str, Any]  # what stands in for values that a spec must have
    peers: Mapping[str, str]  # other libraries' name of a value → where it goes here
    resolved: Callable[..., "Document"]
    checks: tuple[Callable[[Any], Iterator[Diagnostic]], ...]
    lints: tuple[Callable[[Any], Iterator[Diagnostic]], ...]
