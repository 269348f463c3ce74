"""Rows of things that are compared: `PPO, TRPO and A2C`, `tanh against relu`, `A or B?`."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from ppoc.draft.experiment.reading.groups import ENDS, STOPS, Alternative, Group
from ppoc.draft.experiment.reading.phrases import words, written_out
from ppoc.draft.experiment.reading.row import TAKEN, Row
from ppoc.draft.text.items import Item

FILL = words("PLAIN") | words("SMALL")
REACH = 25  # words between two things of a row, at most
BACK = words("PLAIN") | {"a", "an", "the", "no", "without", "both", "#", "ohne"}
WITH_OR_TO = r"(?P<own>)(?P<join>(?:with|to|mit|avec|con) )"  # after `compare`


@dataclass(frozen=True)
class Content:
    """Something that runs can differ in, its kinds, and its tokens."""

    kinds: frozenset[str]
    first: int
    last: int
    sentence: int


def contents(row: Row, items: Sequence[Item]) -> list[Content]:
    """Everything in a request that runs can differ in, in order."""
    found = []
    starts = [token.start for token in row.tokens]
    for item in items:
        kinds = frozenset(_kinds(item))
        first, last = bisect_left(starts, item.start), bisect_left(starts, item.end)
        if kinds and first < last and row.tokens[first].text != TAKEN:
            found.append(Content(kinds, first, last, row.tokens[first].item.sentence))
    return found


def _kinds(item: Item) -> Iterator[str]:
    number = item.number
    if number is not None:
        if number.many and item.text[:1] != "[":
            yield "network"
        return
    for kind, name in item.meanings:
        if kind == "choice":
            yield f"choice {name.partition('=')[0]}"
        elif kind in ("quantity", "switch", "object"):
            yield f"{kind} {name}"
        elif kind in ("algorithm", "model"):
            yield kind


def compared(row: Row, items: Sequence[Item]) -> Iterator[Group]:
    """Each row of things that are compared; its words count as read."""
    while True:
        known = contents(row, items)
        chain, last_too = _strong(row, known) or _triggered(row, known) or ([], False)
        if len(chain) < 2:
            return
        yield _group(row, chain, last_too, known)


def _strong(row: Row, known: list[Content]) -> tuple[list[Content], bool] | None:
    """A row around a word such as `versus`."""
    for found in row.find("{AGAINST}"):
        sentence = found.tokens[0].item.sentence
        right = next((c for c in known if c.first >= found.last and c.sentence == sentence), None)
        if right is None or not _only(row, found.last, right.first, FILL | {"#"}):
            continue
        before = [c for c in known if c.last <= found.first and c.sentence == sentence]
        left = next((c for c in reversed(before) if c.kinds & right.kinds), None)
        if left is not None and _tail_is_free(row, left, found.first):
            return _extended(row, [left, right], known, weak=True), True
    return None


def _triggered(row: Row, known: list[Content]) -> tuple[list[Content], bool] | None:
    """A row after `compare`, of algorithms in any sentence, or of a question with `or`."""
    for found in row.find("{COMPARE}"):
        own = [
            c for c in known
            if c.first >= found.last and c.sentence == found.tokens[0].item.sentence
        ]  # fmt: skip
        for head in own:
            chain = _extended(row, [head], own, weak=True, compare=True)
            if len(chain) > 1:
                row.take(found.first, found.last)
                return chain, True
    for head in known:
        first, last = row.sentence(head.first)
        texts = [token.text for token in row.tokens[first:last]]
        line = " ".join(texts)
        choice = re.search(written_out(r"\b(?:{CHOOSES})\b"), line) is not None or "?" in texts
        tight = "algorithm" in head.kinds
        if tight or choice:
            chain = _extended(row, [head], known, weak=True, tight=True, only_or=not tight)
            if len(chain) > 1:
                return chain, tight
    return None


def _extended(
    row: Row,
    chain: list[Content],
    known: list[Content],
    weak: bool,
    tight: bool = False,
    compare: bool = False,
    only_or: bool = False,
) -> list[Content]:
    """A row with what is linked to it on both sides."""
    same = [c for c in known if c.kinds & chain[-1].kinds and c.sentence == chain[-1].sentence]
    found = list(chain)
    for other in same:
        if other.first - found[-1].last > REACH:
            break
        if other.first >= found[-1].last and link(row, found[-1], other, tight, compare, only_or):
            found.append(other)
    for other in reversed(same):
        if found[0].first - other.last > REACH:
            break
        if other.last <= found[0].first and link(row, other, found[0], tight, compare, only_or):
            found.insert(0, other)
    return found


def link(
    row: Row, left: Content, right: Content, tight: bool, compare: bool, only_or: bool
) -> tuple[int, int] | None:
    """The tokens of what joins two things of a row, or None where nothing does."""
    if right.first - left.last > REACH:
        return None
    between = "".join(f"{t.text} " for t in row.tokens[left.last : right.first])
    if any(t.text in (TAKEN, "@env", "@zoo") for t in row.tokens[left.last : right.first]):
        return None
    found = _joint(only_or).fullmatch(between)
    if found is None and compare:
        found = re.fullmatch(WITH_OR_TO + _fill(), between)
    if found is None or (tight and found["own"]):
        return None
    first = left.last + len(found["own"].split())
    return first, first + len(found["join"].split())


@cache
def _joint(only_or: bool) -> re.Pattern[str]:
    """The words between two things of a row, which join them."""
    weak = "or|oder|ou|o" if only_or else written_out("{AND}")
    joins = rf"(?:(?:{written_out('{AGAINST}')}|{weak}) )+"
    return re.compile(rf"(?P<own>(?:\S+ )*?)(?P<join>{joins}){_fill()}")


@cache
def _fill() -> str:
    return rf"(?P<fill>(?:(?:{'|'.join(map(re.escape, sorted(FILL | {'#'})))}) )*)"


def _only(row: Row, first: int, last: int, words: frozenset[str]) -> bool:
    return all(token.text in words for token in row.tokens[first:last])


def _tail_is_free(row: Row, left: Content, last: int) -> bool:
    """Whether what stands between a thing and the word after it may be of that thing."""
    return not any(t.text in ("@env", "@zoo", TAKEN) for t in row.tokens[left.last : last])


def _group(row: Row, chain: list[Content], last_too: bool, known: list[Content]) -> Group:
    starts, ends = [_start(row, chain[0])], []
    for left, right in pairwise(chain):
        joined = link(row, left, right, False, True, False)
        if joined is None:  # a strong word stands between, and more
            joined = _strong_between(row, left, right)
        ends.append(joined[0])
        starts.append(joined[1])
    modified = any(
        end > head.last and _content(row, head.last, end)
        for head, end in zip(chain, ends, strict=False)
    )
    texts = [row.tokens[head.first].item.text for head in chain]
    ends.append(_end(row, chain[-1], last_too and (modified or len(set(texts)) < len(texts))))
    made = []
    for first, end in zip(starts, ends, strict=True):
        plain = any(token.text in words("PLAIN") for token in row.tokens[first:end])
        span = row.span(first, end)
        made.append(Alternative((span,), span, plain=plain))
    cover = (row.tokens[starts[0]].start, row.tokens[ends[-1] - 1].end)
    row.take(starts[0], ends[-1])
    return Group(cover, made)


def _strong_between(row: Row, left: Content, right: Content) -> tuple[int, int]:
    found = [f for f in row.find("{AGAINST}") if left.last <= f.first and f.last <= right.first]
    return found[-1].first, found[-1].last


def _content(row: Row, first: int, last: int) -> bool:
    return any(token.item.meanings or token.text == "#" for token in row.tokens[first:last])


def _start(row: Row, head: Content) -> int:
    first = head.first
    while first > 0 and row.tokens[first - 1].text in BACK:
        if row.tokens[first - 1].text == "#" and "algorithm" in head.kinds:
            break
        first -= 1
    return first


def _end(row: Row, head: Content, modified: bool) -> int:
    """The token after the last thing of a row, and after what is said of it alone."""
    last, inside = head.last, False
    number = "algorithm" in head.kinds
    while last < len(row.tokens):
        text = row.tokens[last].text
        following = row.tokens[last + 1].text if last + 1 < len(row.tokens) else ""
        if text in STOPS or (text == "#" and number and not inside):
            break
        if text in ("with", "using", "and", "at", "without", "mit") and modified:
            if following in STOPS or not _content(row, last + 1, min(last + 4, len(row.tokens))):
                break
            inside = True
        elif text in ENDS or text in ("and", "or", "at", "without"):
            break
        last += 1
    return last
