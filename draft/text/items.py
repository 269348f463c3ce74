"""Items of a request, and its sentences, clauses and lists."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ppoc.draft.text.numbers import Number, digits_at

Meanings = frozenset[tuple[str, str]]
NOTHING: Meanings = frozenset()
_LIST = re.compile(r"[\[({]\s*(-?[\d.][\w.+-]*(?:\s*[,;]\s*-?[\d.][\w.+-]*)+)\s*,?\s*[\])}]")


@dataclass(frozen=True)
class Item:
    """A piece of the request and what it may mean."""

    start: int
    end: int
    text: str  # in small letters, spelling corrected
    meanings: Meanings = NOTHING
    number: Number | None = None
    sentence: int = 0
    clause: int = 0
    length: int = field(default=1, compare=False)  # words it is made of

    def names(self, kind: str) -> list[str]:
        """Its meanings of a kind."""
        return sorted(name for own, name in self.meanings if own == kind)

    def cue(self, *names: str) -> bool:
        """Whether the item is one of some cues."""
        return any(("cue", name) in self.meanings for name in names)

    def quantity(self, *names: str) -> bool:
        """Whether the item is a term for one of some quantities, or for any."""
        found = self.names("quantity")
        return bool(set(found) & set(names)) if names else bool(found)

    @property
    def is_word(self) -> bool:
        return self.text[:1].isalpha()


def list_at(text: str, at: int) -> Number | None:
    """The numbers in brackets that begin at a place, as one of `many`."""
    many = _LIST.match(text, at)
    if many is None:
        return None
    pieces = [piece.strip() for piece in re.split("[,;]", many[1])]
    values = tuple(n.value for n in (digits_at(p, 0) for p in pieces if p) if n is not None)
    whole = len(values) == sum(map(bool, pieces))
    return Number(values[0], at, many.end(), values) if whole else None


def in_clauses(items: list[Item], separates: Callable[[list[Item], int], bool]) -> list[Item]:
    """Items numbered by sentence, and by clause, of which `separates` tells where one begins."""
    sentence = clause = 0
    found: list[Item] = []
    for at, item in enumerate(items):
        if _ends_sentence(items, at):
            sentence += 1
            clause += 1
        elif separates(items, at):
            clause += 1
        found.append(replace(item, sentence=sentence, clause=clause))
    return found


def _ends_sentence(items: list[Item], at: int) -> bool:
    item = items[at]
    if item.text in (";", "!", "?", "\n"):
        return True
    if item.text != ".":
        return False
    following = items[at + 1] if at + 1 < len(items) else None
    return following is None or following.start > item.end
