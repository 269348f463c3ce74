"""Alternatives of a request: what stands in the place of each other, as pieces of its text."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ppoc.draft.experiment.reading.phrases import words
from ppoc.draft.experiment.reading.row import TAKEN, Found, Row
from ppoc.draft.experiment.reading.view import Piece, Span

STOPS = {",", ".", ";", "?", "!", ":", "(", ")", TAKEN, "@env", "@zoo", "\n"}
ENDS = STOPS | words("ENDS")
CONTENT = ("algorithm", "quantity", "choice", "switch", "object", "unsupported", "stage")


@dataclass(frozen=True)
class Alternative:
    """One of several things that a request compares.

    Attributes:
        pieces: what stands for it in the text of its runs.
        words: of the request, that it is named by.
        name: that the request gives it.
        plain: whether it is said to be as usual.
    """

    pieces: tuple[Piece, ...]
    words: Span
    name: str = ""
    plain: bool = False
    drops: tuple[Span, ...] = ()  # of the rest of the request, that is of the others only


@dataclass
class Group:
    """Alternatives, one of which stands in the place of all in each run.

    Attributes:
        cover: the place that they take in the request.
        switch: whether they are one thing, with it and without it; `range`: two ends.
        otherwise: pieces for the second where it does not differ from the first.
    """

    cover: Span
    alternatives: list[Alternative]
    switch: bool = False
    otherwise: tuple[Piece, ...] | None = None
    frame: list[Span] = field(default_factory=list)  # words to leave out
    range: bool = False
    assumed: bool = False


def with_and_without(row: Row) -> Iterator[Group]:
    """`with and without an entropy bonus`, `with a critic or without it`, `clipping on and off`."""
    first = r"(?:both )?(?P<with>{WITH}) (?:(?:{BOTH}) )+(?P<without>{WITHOUT})"
    second = r"(?:both )?(?P<without>{WITHOUT}) (?:(?:{BOTH}) )+(?P<with>{WITH})"
    for pattern in (first, second):
        for found in row.find(pattern):
            rest = row.request[found.tokens[-1].end :]
            parts = [row.part(found, name) for name in ("with", "without")]
            drops = _own_numbers(row, found.last)
            extent = row.span(found.last, max(found.last + 1, end_of(row, found.last)))
            if not rest.strip() or found.last >= len(row.tokens):
                continue
            made = [Alternative((p.span,), extent) for p in parts if p is not None]
            made[1] = Alternative(made[1].pieces, extent, drops=drops)
            row.take(found.first, found.last)
            yield Group(found.span, made, switch=True, otherwise=())
    third = (
        r"(?:{WITH}) (?P<what>(?:[\w#'-]+ ){1,6}?)(?:(?:{BOTH}) )+(?P<without>{WITHOUT})"
        r"(?: it| them| one| any| that)?(?= (?:on|in|for|over|,|\.|\?|;|~|$))"
    )
    for found in row.find(third):
        what, without = row.part(found, "what"), row.part(found, "without")
        if what is None or without is None:
            continue
        whole = (found.tokens[0].start, what.end)
        made = [Alternative((whole,), what.span), Alternative((), what.span)]
        yield Group(found.span, made, switch=True, otherwise=("without", what.span))
        row.take(found.first, found.last)
    for found in row.find(r"(?P<on>on|enabled) (?:(?:{BOTH}) )+(?P<off>off|disabled)"):
        off = row.part(found, "off")
        start = max(0, found.first - 3)
        before = row.span(start, found.first) if found.first else found.span
        if off is not None:
            made = [Alternative((), before), Alternative((off.span,), before)]
            yield Group(found.span, made, switch=True)
            row.take(found.first, found.last)


def _own_numbers(row: Row, first: int) -> tuple[Span, ...]:
    """`an entropy bonus of 0.01`: numbers of what is there or not, which the one without lacks."""
    last = end_of(row, first)
    return tuple((token.start, token.end) for token in row.tokens[first:last] if token.text == "#")


def end_of(row: Row, first: int, limit: int = 10) -> int:
    """The token after a phrase that begins at one."""
    last = first
    while last < min(len(row.tokens), first + limit) and row.tokens[last].text not in ENDS:
        if last > first and row.tokens[last].text in ("and", "or") and not _goes_on(row, last + 1):
            break
        last += 1
    return last


def _goes_on(row: Row, at: int) -> bool:
    """Whether something that a reader knows follows, rather than an experiment's own words."""
    near = row.tokens[at : at + 3]
    return any(has_content(token.item.meanings) for token in near if token.text != TAKEN)


def has_content(meanings: frozenset[tuple[str, str]]) -> bool:
    """Whether an item is something that runs can differ in."""
    return any(kind in CONTENT for kind, _ in meanings)


def asked_about(row: Row) -> Iterator[Group]:
    """`does X help`, `do we need X`, `the effect of X`, `ablate X and Y`."""
    needs = r"(?P<does>{DOES}) (?P<who>(?:[\w@'-]+ ){1,4}?)(?P<verb>{NEEDS})"
    for found in row.find(needs):
        verb, does = row.part(found, "verb"), row.part(found, "does")
        if verb is None or does is None or not _content_in(row, verb.last, end_of(row, verb.last)):
            continue
        extent = row.span(verb.last, max(verb.last + 1, end_of(row, verb.last)))
        made = [Alternative(("with",), extent), Alternative(("without",), extent)]
        yield Group(verb.span, made, switch=True, otherwise=(), frame=[does.span])
        row.take(does.first, does.last)
        row.take(verb.first, verb.last)
    helps = r"(?:{DOES}) (?:a |an |the )?(?P<what>(?:[\w#'&-]+ ){1,9}?)(?P<verb>{HELPS})"
    for found in row.find(helps):
        what = row.part(found, "what")
        if what is None or not _content_in(row, what.first, what.last):
            continue
        if len(what.numbers) > 1:
            continue  # `does lambda 0.9 or 0.99 work better`: values to vary
        yield _switch(found, what)
        row.take(found.first, found.last)
    for found in row.find("{ABLATE}"):
        yield from _ablation(row, found)


def _content_in(row: Row, first: int, last: int) -> bool:
    return any(has_content(t.item.meanings) for t in row.tokens[first:last] if t.text != "@alg")


def _switch(found: Found, what: Found) -> Group:
    made = [
        Alternative(("with", what.span, ","), what.span),
        Alternative(("without", what.span, ","), what.span),
    ]
    return Group(found.span, made, switch=True, otherwise=())


def _ablation(row: Row, found: Found) -> Iterator[Group]:
    """Everything, and everything but one thing of a row."""
    parts: list[tuple[int, int]] = []
    at, end = found.last, found.last
    while at < len(row.tokens):
        last = end_of(row, at)
        inner = [i for i in range(at, last) if row.tokens[i].text in ("and", "or", "&")]
        last = inner[0] if inner else last
        if last == at or not _content_in(row, at, last):
            break
        parts.append((at, last))
        end = last
        at = last
        while at < len(row.tokens) and row.tokens[at].text in (",", "and", "or", "&"):
            at += 1
        if at == last:
            break
    if not parts:
        return
    spans = [row.span(*part) for part in parts]
    cover = (found.start, row.tokens[end - 1].end)
    whole = tuple(piece for span in spans for piece in ("with", span, ","))
    words = (spans[0][0], spans[-1][1])
    made = [Alternative(whole, words, name="" if len(spans) == 1 else "full")]
    for one in spans:
        pieces = tuple(
            piece for span in spans for piece in ("without" if span is one else "with", span, ",")
        )
        made.append(Alternative(pieces, one))
    yield Group(cover, made, switch=True, otherwise=() if len(spans) == 1 else None)
    row.take(found.first, end)
