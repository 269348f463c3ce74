"""The keys of another library's settings, read one after another; what nobody read is told."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ppoc.compiler.compact import Note
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.node import Node
from ppoc.importing import python_text

Path = tuple[str, ...]
LARGEST = 1e300  # that a number may be


class Entry:
    """A mapping of settings, with the problems and the comments that reading it gave.

    Attributes:
        notes: comments for the spec, about values that it cannot have or that had to change.
        wrong: what is not a value that the key takes, each with its place.
    """

    def __init__(self, values: Mapping[str, Node], name: str = "") -> None:
        self._values = dict(values)
        self._left = dict(values)
        self._name = name
        self.notes: list[Note] = []
        self.wrong: list[Diagnostic] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values and self._values[key].value is not None

    def take(self, key: str) -> Node:
        """The node of a key, which is then read; one without a value where the key is not there."""
        self._left.pop(key, None)
        return self._values.get(key, Node(None))

    def peek(self, key: str) -> Any:
        """The plain value of a key, which is not read by that."""
        return self._values.get(key, Node(None)).plain()

    def put(self, key: str, value: Any) -> None:
        """Give a key a value that another one settled."""
        self._values[key] = self._left[key] = Node(value)

    def names(self) -> list[str]:
        """The keys that nobody read yet."""
        return list(self._left)

    def plain(self) -> dict[str, Any]:
        """The plain values that nobody read yet; they are read then."""
        values = {key: node.plain() for key, node in self._left.items()}
        self._left.clear()
        return values

    def note(self, path: Path, text: str) -> None:
        """A comment for the spec."""
        self.notes.append(Note(path, text))

    def number(
        self, key: str, default: float | None, *, least: float = -inf, above: float = -inf
    ) -> Any:
        """A finite number, of at least `least` and greater than `above`."""
        node = self.take(key)
        value = node.value
        if value is None:
            return default
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value or not above < value or not abs(value) < LARGEST:
            low = (
                f" above {above:g}" if above > -inf else f" from {least:g}" if least > -inf else ""
            )
            self.refuse(key, node, f"a number{low}")
            return default
        return float(value)

    def count(self, key: str, default: int, *, least: int = 1, most: int = 10**12) -> int:
        """A whole number, which may be written as 1e6."""
        value = self.number(key, default, least=least)
        if not float(value).is_integer() or value > most:
            self.refuse(key, self._values[key], f"a whole number up to {most:,}")
            return default
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return bool(self._one(key, default, bool, "true or false"))

    def word(self, key: str, default: str) -> str:
        """A text."""
        return str(self._one(key, default, str, "a text"))

    def _one(self, key: str, default: Any, kind: type, expected: str) -> Any:
        node = self.take(key)
        if node.value is None:
            return default
        if not isinstance(node.value, kind):
            self.refuse(key, node, expected)
            return default
        return node.value

    def section(self, key: str) -> "Entry":
        """A mapping of settings within, which may be written as a text of Python."""
        node = self.take(key)
        if isinstance(node.value, str):
            node = self._caught(lambda: python_text.parse(node, key))
        if node.value is None:
            return Entry({}, key)
        if not isinstance(node.value, dict):
            self.refuse(key, node, "a mapping, or a text such as dict(key=value)")
            return Entry({}, key)
        return Entry(node.value, key)

    def absorb(self, inner: "Entry") -> None:
        """Take over what reading a section gave."""
        self.notes += inner.notes
        self.wrong += inner.wrong

    def refuse(self, key: str, node: Node, expected: str) -> None:
        """Note that a value is not one that its key takes."""
        name = f"{self._name}.{key}" if self._name else key
        message = f"`{name}` must be {expected}, not {_shown(node.value)}"
        place = node.span or node.key_span
        self.wrong.append(Diagnostic("E902", message, place, help="correct the file"))

    def leave(self, path: Path, keys: Mapping[str, str] | None = None) -> None:
        """Comment on every key that nobody read; `keys` say why, where there is more to say."""
        for key, node in self._left.items():
            why = (keys or {}).get(key, "ppoc has no such setting")
            name = f"{self._name}: {key}" if self._name else key
            self.note(path, f"not carried over: {name}: {_shown(node.value)} ({why})")
        self._left.clear()

    def _caught(self, read: Callable[[], Node]) -> Node:
        try:
            return read()
        except SpecError as error:
            self.wrong += error.diagnostics
            return Node(None)


def _shown(value: Any) -> str:
    """A value in a few words."""
    text = repr(Node(value).plain())
    return text if len(text) <= 80 else f"{text[:77]}..."
