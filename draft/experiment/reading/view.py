"""A request with some of its words left out or put in, and where the rest of them stood."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ppoc.draft.text.claims import Claim

Span = tuple[int, int]
Piece = Span | str  # words of the request, or words put in


@dataclass(frozen=True)
class View:
    """A text made of pieces of a request, for a reader of one run.

    Attributes:
        places: of each character in the request; of one put in, that of what it stands for.
    """

    text: str
    places: tuple[int, ...]

    def claim(self, claim: Claim) -> Claim:
        """A claim about the text, at its places in the request."""
        if claim.start >= len(self.text):
            return claim
        inside = self.places[claim.start : max(claim.start + 1, claim.end)]
        return replace(claim, start=min(inside), end=max(inside) + 1)


def view(
    request: str, left_out: Iterable[Span], replaced: Sequence[tuple[Span, Sequence[Piece]]] = ()
) -> View:
    """The request without some spans, and with other pieces in the place of some."""
    drop = [False] * len(request)
    for start, end in left_out:
        drop[start:end] = [True] * (end - start)
    text: list[str] = []
    places: list[int] = []

    def put(words: str, at: int) -> None:
        text.append(words)
        places.extend([at] * len(words))

    def keep(start: int, end: int) -> None:
        for i in range(start, end):
            if not drop[i]:
                put(request[i], i)
            elif not text or text[-1] != " ":
                put(" ", i)

    at = 0
    for (start, end), pieces in sorted(replaced, key=lambda pair: pair[0]):
        keep(at, start)
        put(" ", min(start, len(request) - 1))
        for piece in pieces:
            if isinstance(piece, str):
                put(piece, min(start, len(request) - 1))
            else:
                keep(*piece)
            put(" ", min(start, len(request) - 1))
        at = end
    keep(at, len(request))
    return View("".join(text), tuple(places))
