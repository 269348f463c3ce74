"""Values of a document, which remember their places."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ppoc.compiler.front.diagnostics import Span


@dataclass(frozen=True)
class Node:
    """A value of a document, and where it and its key stand.

    `value` is a scalar, a list of nodes, or a dict of nodes. `origin` says which layer of a spec it
    came from: spec, extends, preset, override, or words of the resolver's own.
    """

    value: Any
    span: Span | None = None
    key_span: Span | None = None
    origin: str = "spec"

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Node"]]:
        """Every path that is not a mapping with keys, and its node."""
        if isinstance(self.value, dict) and self.value:
            for key, node in self.value.items():
                yield from node.leaves((*path, key))
        else:
            yield path, self
