"""A drafted spec: its values, each with where it comes from, and all that it does not say."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.draft.text.claims import Note

Origin = Literal["request", "adapted", "default"]
ROUNDS = 30  # of leaving out what the compiler refuses


@dataclass(frozen=True)
class Value:
    """A value of the drafted spec, whose it is, and why."""

    path: str
    value: Any
    origin: Origin
    words: str = ""  # of the request
    why: str = ""

    def comment(self) -> str:
        """The origin of the value in a few words, for the spec."""
        if self.origin == "default":
            return f"default: {self.why}"
        said = f'"{self.words}"'
        return f"{said}: {self.why}" if self.why else said


@dataclass(frozen=True)
class Draft:
    """A spec that passes `ppoc check`, with its provenance and all that it does not say."""

    text: str
    values: list[Value]
    notes: list[Note]
    resolved: ResolvedSpec
    warnings: list[Diagnostic] = field(default_factory=list)


class NothingToDraftError(Exception):
    """A request that says nothing about an agent ppoc could train; `notes` say what it does ask."""

    def __init__(self, notes: list[Note]) -> None:
        super().__init__("nothing in the request says what to train, and with what")
        self.notes = notes


def adapt(full: dict[str, Value], notes: list[Note], path: str, value: Any, why: str) -> None:
    """Put a value in the place of one that does not fit, and note it where words asked for that."""
    said = full.get(path)
    words = said.words if said is not None else ""
    full[path] = Value(path, value, "adapted" if words else "default", words, why)
    note = Note("adapted", words, f"`{path}` is {value}, {why}")
    if words and note not in notes:
        notes.append(note)
