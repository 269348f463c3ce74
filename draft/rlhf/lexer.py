"""A request as a row of items: files, runs, models, numbers, terms, words, punctuation."""

import re
from dataclasses import replace
from functools import cache

from ppoc.draft.rlhf.terms import model_at, terms
from ppoc.draft.text.glossary import WORD, even, glossary
from ppoc.draft.text.items import NOTHING, Item, Meanings, in_clauses, list_at
from ppoc.draft.text.number_words import Word, scale_of, words_at
from ppoc.draft.text.numbers import Number, digits_at

FILE = re.compile(r"[\w~./-]*\w\.(?:jsonl|json|ndjson|csv|parquet|txt)\b")
RUN = re.compile(r"(?:\.{0,2}/)?(?:[\w.-]+/)*runs/[\w./-]*\w")
FOLDER = re.compile(r"(?:\.{1,2}|~)?/[\w.-]+(?:/[\w.-]+)*")
JOINTS = ("-", "_", "‐", "/")
CLAUSES = (",", "and", "but", "while", "then", "|")
ONE = {"single", "once"}


def lex(request: str) -> list[Item]:
    """The items of a request, in order; every place is one of the request."""
    raw = _pieces(request)
    items: list[Item] = []
    at = 0
    while at < len(raw):
        item, taken = _longest(raw, at)
        items.append(item)
        at += taken
    return in_clauses(_scaled(items), lambda items, at: items[at].text in CLAUSES)


def _pieces(request: str) -> list[Item]:
    """Names, words, digits and punctuation, one by one."""
    small = "".join(c.lower() if len(c.lower()) == 1 else c for c in request).replace("’", "'")
    found: list[Item] = []
    at = 0
    while at < len(request):
        if request[at].isspace() and request[at] != "\n":
            at += 1
            continue
        piece = _piece(request, small, at)
        found.append(piece)
        at = piece.end
    return found


def _piece(request: str, small: str, at: int) -> Item:
    starts = at == 0 or not (request[at - 1].isalnum() or request[at - 1] in "_./")
    if starts:
        for kind, pattern in (("file", FILE), ("run", RUN), ("folder", FOLDER)):
            found = pattern.match(request, at)
            if found:
                meaning = frozenset({(kind, found[0])})
                return Item(at, found.end(), found[0].lower(), meaning)
        model = model_at(request, at)
        if model is not None:
            name, end = model
            return Item(at, end, small[at:end], frozenset({("model", name)}))
    number = list_at(small, at) if small[at] == "[" else digits_at(small, at)
    if number is not None:
        return Item(at, number.end, small[at : number.end], number=number)
    word = WORD.match(small, at)
    if word:
        return Item(at, word.end(), _corrected(word[0]))
    return Item(at, at + 1, small[at])


@cache
def _corrected(word: str) -> str:
    """A misspelt word as the terms spell it; any other word as it is."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    if len(word) < 5 or not word.isascii() or even(word) in terms().known:
        return word
    if word in glossary().known:
        return word
    limit = 1 if len(word) < 7 else 2
    close = process.extract(word, terms().vocabulary, scorer=OSA.distance, score_cutoff=limit)
    for other, _, _ in sorted(close, key=lambda item: item[1]):
        if other[0] == word[0]:
            return str(other)
    return word


def _longest(raw: list[Item], at: int) -> tuple[Item, int]:
    """The longest phrase or number that starts at a piece, and of how many pieces it is."""
    first = raw[at]
    if first.number is not None:
        return _digits_first(raw, at)
    if first.meanings or not (first.text[:1].isalpha() or first.text in "=:"):
        return first, 1
    run = _run(raw, at)
    if [item.text for item in run[:3]] == ["half", "a", "percent"]:
        number = Number(0.005, first.start, run[2].end)
        return Item(first.start, run[2].end, "half a percent", number=number), 3
    spelled = words_at([Word(item.text, item.start, item.end) for item in run], "en")
    phrase = _phrase(run)
    if spelled is not None and (phrase is None or spelled[1] >= phrase[1]):
        number, words = spelled
        taken = _taken(raw, at, run[words - 1])
        joined = " ".join(item.text for item in run[:words])
        return Item(first.start, run[words - 1].end, joined, number=number), taken
    if first.text in ONE and spelled is None:
        return replace(first, number=Number(1.0, first.start, first.end)), 1
    if phrase is None:
        return first, 1
    meanings, words = phrase
    last = run[words - 1]
    joined = " ".join(item.text for item in run[:words])
    return Item(first.start, last.end, joined, meanings, length=words), _taken(raw, at, last)


def _digits_first(raw: list[Item], at: int) -> tuple[Item, int]:
    """`4-bit`, `8 gpus`: phrases that begin with digits; else the number."""
    joined = at + 1 < len(raw) and raw[at + 1].text in JOINTS
    run = [raw[at], *_run(raw, at + 1 + joined)]
    phrase = _phrase(run[:3]) if len(run) > 1 else None
    if phrase is None or phrase[1] < 2:
        return raw[at], 1
    last = run[phrase[1] - 1]
    item = Item(raw[at].start, last.end, " ".join(i.text for i in run[: phrase[1]]), phrase[0])
    return item, _taken(raw, at, last)


def _taken(raw: list[Item], at: int, last: Item) -> int:
    return next(i for i in range(at, len(raw)) if raw[i] is last) - at + 1


def _run(raw: list[Item], at: int) -> list[Item]:
    """Words from a place on that could be one phrase, whatever joins them."""
    run: list[Item] = []
    for item in raw[at : at + 2 * terms().longest]:
        if item.text in JOINTS and run:
            continue
        known = item.number is not None and item.text.isdigit() and run
        if not (item.text[:1].isalpha() or item.text in "=:" or known) or (item.meanings and run):
            break
        run.append(item)
    return run


def _phrase(run: list[Item]) -> tuple[Meanings, int] | None:
    words = [even(item.text) for item in run]
    for length in range(min(len(run), terms().longest), 0, -1):
        meanings = terms().exact.get(tuple(words[:length]), NOTHING)
        if meanings:
            return meanings, length
    return None


def _scaled(items: list[Item]) -> list[Item]:
    """`5 percent` as 0.05, and `20 thousand` as 20,000."""
    found: list[Item] = []
    for item in items:
        number = found[-1].number if found else None
        if number is not None and item.text in ("%", "percent"):
            value = float(f"{number.value / 100:.12g}")
        elif number is not None and not number.many and scale_of(item.text):
            value = float(f"{number.value * (scale_of(item.text) or 1):.12g}")
        else:
            found.append(item)
            continue
        whole = replace(number, value=value, end=item.end)
        found[-1] = replace(found[-1], end=item.end, number=whole)
    return found
