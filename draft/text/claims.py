"""Claims of a request about fields of a spec, and notes about the rest of it."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["cannot", "question", "adapted", "run"]
MAX_CHARACTERS = 4000  # of a request: a page
LOST = "this number belongs to nothing that ppoc knows"


class Gone:
    """The value of a field that a request takes away."""

    def __repr__(self) -> str:
        return "gone"


GONE = Gone()


class RequestError(Exception):
    """A request that cannot be read at all."""


@dataclass(frozen=True)
class Claim:
    """A value for a field, and the words of the request it comes from.

    Attributes:
        how: where the words alone do not show it, such as `3 × optimizer.actor.lr`.
        assumed: whether the request asks for the field and does not say the value.
    """

    path: str
    value: Any
    start: int
    end: int
    how: str = ""
    assumed: bool = False


@dataclass(frozen=True)
class Note:
    """Something that the spec does not say: what ppoc cannot do, a question, a command to run.

    `words` are the request's; `text` is ppoc's.
    """

    kind: Kind
    words: str
    text: str


@dataclass
class Reading:
    """All that a reader made of a request.

    Raises:
        RequestError: the request is too long.
    """

    request: str
    claims: list[Claim] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    base: str | None = None  # a spec of the zoo that the request starts from
    kind: str = "control"  # of the spec that is asked for
    several: list[Claim] = field(default_factory=list)  # fields with lists of values to try
    runs: str = "control"  # the kind of the runs of an experiment

    def __post_init__(self) -> None:
        if len(self.request) > MAX_CHARACTERS:
            raise RequestError(f"the request has more than {MAX_CHARACTERS:,} characters")

    def words(self, start: int, end: int) -> str:
        """Words of the request, on one line."""
        return plain(self.request[start:end])

    def claim(self, path: str) -> Claim | None:
        """The claim about a field, if there is one."""
        return next((claim for claim in self.claims if claim.path == path), None)


def plain(text: str, limit: int = 80) -> str:
    """Words for a comment or a terminal: one printable line, and no `#` to start a directive."""
    line = "".join(c if c.isprintable() else " " for c in text).replace("#", "")
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
