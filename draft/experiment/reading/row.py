"""A request as one line of corrected words, for the phrases of experiments to be found in.

A number is `#`, an environment `@env`, an algorithm `@alg`, a spec of the zoo `@zoo`, and `~` what
has been read; everything else is the word itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from ppoc.draft.agent import environments
from ppoc.draft.agent.fields import zoo
from ppoc.draft.agent.lexer import lex
from ppoc.draft.experiment.reading.phrases import written_out
from ppoc.draft.experiment.reading.view import Span
from ppoc.draft.text.glossary import WORD, corrected, glossary
from ppoc.draft.text.items import NOTHING, Item
from ppoc.draft.text.numbers import Number

WORDS = (
    *("compare", "comparing", "comparison", "against", "versus", "without", "between", "ablate"),
    *("ablation", "baseline", "variant", "seeds", "trials", "search", "average", "difference"),
    *("optimise", "optimize", "confidence", "tuning"),
)
SHORT = {"wiht": "with", "whit": "with", "wth": "with", "adn": "and", "vs.": "vs"}
TAKEN = "~"
ZOO = r"(?<![\w/])[a-z][\w-]*/[a-z][\w-]*"
PLACES = {"on", "in", "for", "and", ",", "or", "playing", "auf", "sur", "en"}


@dataclass(frozen=True)
class Token:
    """One word of the line, and where it stands in the request."""

    text: str
    start: int
    end: int
    item: Item


@dataclass(frozen=True)
class Found:
    """Words of a request that are a phrase of experiments.

    Attributes:
        first: the index of its first token in the line; `last`: the one after its last.
        parts: the same of each named group of the pattern.
    """

    start: int  # in the request
    end: int
    tokens: tuple[Token, ...]
    first: int
    last: int
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """Its place in the request."""
        return self.start, self.end

    @property
    def text(self) -> str:
        """Its words, corrected."""
        return " ".join(token.text for token in self.tokens)

    @property
    def numbers(self) -> list[Number]:
        """The numbers among its words."""
        return [token.item.number for token in self.tokens if token.item.number is not None]


class Row:
    """The line of a request."""

    def __init__(self, request: str) -> None:
        self.request = request
        self.tokens = [*_tokens(request)]
        self._write()

    def _write(self) -> None:
        self.line = " ".join(token.text for token in self.tokens) + " "
        self.at: list[int] = []  # of each character of the line: the index of its token
        for index, token in enumerate(self.tokens):
            self.at += [index] * (len(token.text) + 1)

    def take(self, first: int, last: int) -> None:
        """Count some tokens as read."""
        for index in range(first, last):
            self.tokens[index] = replace(self.tokens[index], text=TAKEN)
        self._write()

    def find(self, pattern: str) -> list[Found]:
        """Each place of a pattern, whose ends are ends of words; see phrases.yaml."""
        found = []
        whole = rf"(?<![^ ])(?:{written_out(pattern)})(?= )"
        for match in re.finditer(whole, self.line):
            if match.end() > match.start():
                parts = {
                    name: (self.at[match.start(name)], self.at[match.end(name) - 1] + 1)
                    for name in match.groupdict()
                    if match.end(name) > match.start(name) >= 0
                }
                ends = self.at[match.start()], self.at[match.end() - 1] + 1
                found.append(self.found(*ends, parts))
        return found

    def found(self, first: int, last: int, parts: dict[str, tuple[int, int]]) -> Found:
        """The words from one token up to another."""
        tokens = tuple(self.tokens[first:last])
        return Found(tokens[0].start, tokens[-1].end, tokens, first, last, parts)

    def part(self, found: Found, name: str) -> Found | None:
        """The words of a named group."""
        return self.found(*found.parts[name], {}) if name in found.parts else None

    def sentence(self, token: int) -> tuple[int, int]:
        """The first token of a token's sentence, and the one after its last."""
        number = self.tokens[token].item.sentence
        own = [i for i, other in enumerate(self.tokens) if other.item.sentence == number]
        return own[0], own[-1] + 1

    def span(self, first: int, last: int) -> Span:
        """Places in the request of tokens from one up to another."""
        return self.tokens[first].start, self.tokens[last - 1].end


def _tokens(request: str) -> Iterator[Token]:
    before, passed = "", 0
    names = {m.start(): m for m in re.finditer(ZOO, request.lower()) if m[0] in zoo()}
    for item in lex(request):
        if item.start < passed:
            continue
        if item.start in names:
            passed = names[item.start].end()
            yield Token("@zoo", item.start, passed, replace(item, meanings=NOTHING, number=None))
            continue
        kind = _kind(item, before)
        before = kind or item.text
        if kind:
            yield Token(kind, item.start, item.end, item)
            continue
        words = item.text.split()
        pieces = [*WORD.finditer(request, item.start, item.end)]
        if not item.is_word or not pieces:
            yield Token(item.text.strip() or "~", item.start, item.end, item)
        elif len(pieces) == 1:
            yield Token(spelt(item.text), item.start, item.end, item)
        else:
            same = len(words) == len(pieces)
            for i, piece in enumerate(pieces):
                text = words[i] if same else corrected(piece[0].lower())
                yield Token(spelt(text), piece.start(), piece.end(), item)


def _kind(item: Item, before: str) -> str | None:
    if item.number is not None:
        return "#"
    names = item.names("environment")
    if item.names("id") or (names and (not environments.is_ordinary(names[0]) or before in PLACES)):
        return "@env"
    return "@alg" if item.names("algorithm") else None


@cache
def spelt(word: str) -> str:
    """A word of comparisons that is misspelt, as it should be; any other word as it is."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    known = {word, f"{word}s", word.removesuffix("s")} & (glossary().known | set(WORDS))
    if word in SHORT or len(word) < 5 or known:
        return SHORT.get(word, word)
    limit = 1 if len(word) < 7 else 2
    close = process.extractOne(word, WORDS, scorer=OSA.distance, score_cutoff=limit)
    return str(close[0]) if close is not None and close[0][0] == word[0] else word


def environment(token: Token, words: set[str]) -> environments.Found:
    """The environment that a token names; `words` of the request may ask for a variant of it."""
    ids, names = token.item.names("id"), token.item.names("environment")
    return environments.by_id(ids[0]) if ids else environments.by_name(names[0], words)
