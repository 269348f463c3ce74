"""A checked spec of `kind: rlhf`, which knows where its files are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ppoc.compiler.front.node import Node
from ppoc.compiler.front.spec import ResolvedSpec, find
from ppoc.compiler.rlhf.language import RlhfSpec

FILES = (
    ("start", "policy"),
    ("start", "reward"),
    ("model", "id"),
    ("model", "tokenizer"),
    ("data", "demonstrations"),
    ("data", "preferences"),
    ("data", "prompts"),
)


@dataclass(frozen=True)
class RlhfResolved(ResolvedSpec):
    """A checked spec, and where each of its values comes from."""

    spec: RlhfSpec

    def files(self) -> Iterator[tuple[str, ...]]:
        """The paths of values that name files or folders here."""
        for path in FILES:
            section: Any = self.spec
            for step in path:
                section = getattr(section, step)
            if isinstance(section, str) and section != "base":
                hub = path[0] == "model" and not self.file(*path).is_dir()
                if not hub:
                    yield path

    def file(self, *path: str) -> Path:
        """Where the file or folder is that the value at a path names.

        A relative one is beside the file that says so; one of the command line, in the current
        folder.
        """
        node = find(self.root, path)
        if node is None or not isinstance(node.value, str):
            raise KeyError(".".join(path))
        return _where(node)


def placed(document: Node, path: tuple[str, ...] = ()) -> Node:
    """A document, or what it has at a path, with absolute names of the files that are there."""
    if isinstance(document.value, dict):
        inner = {key: placed(node, (*path, key)) for key, node in document.value.items()}
        return replace(document, value=inner)
    if path not in FILES or not isinstance(document.value, str) or document.value == "base":
        return document
    where = _where(document)
    hub = path[0] == "model" and not where.is_dir()
    return document if hub else replace(document, value=str(where))


def _where(node: Node) -> Path:
    """The file or folder that a value names, beside the text that says so."""
    span = node.span
    folder = Path(span.source).parent if span is not None and span.is_file else Path()
    return Path.cwd() / folder / Path(node.value).expanduser()


def shown(path: Path) -> str:
    """A path as a diagnostic shows it: from the current folder if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
