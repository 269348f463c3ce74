"""Pairing of numbers with the quantities they belong to: the cheapest pairs first.

A pair costs what stands between number and term, more where the number is on the unusual side of
its term or outside the usual range. Nothing is paired across sentences.
"""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.text.items import Item

REACH = 30  # items between a number and its term, at most
LIMIT = 5.0  # above it, a number and a term have nothing to do with each other
STEPS = ("total_steps",)


def attach(items: list[Item], free: set[int], entries: Mapping[str, Any]) -> dict[int, list[int]]:
    """Index of a term → indices of its numbers, of those that are free.

    `entries` say of each quantity which numbers are usual.
    """
    pairs = []
    for n in sorted(free):
        for t in range(max(0, n - REACH), min(len(items), n + REACH + 1)):
            term = items[t]
            if term.sentence == items[n].sentence and term.quantity() and term.number is None:
                price = min(_cost(items, n, t, name, entries) for name in term.names("quantity"))
                if price <= LIMIT:
                    pairs.append((price, abs(n - t), n, t))
    taken: dict[int, list[int]] = {}
    used: set[int] = set()
    for _, _, n, t in sorted(pairs):
        if n not in used and t not in taken:
            taken[t] = [n]
            used.add(n)
    return {
        t: _with_list(items, t, numbers[0], free - used, entries) for t, numbers in taken.items()
    }


def _with_list(
    items: list[Item], term: int, first: int, free: set[int], entries: Mapping[str, Any]
) -> list[int]:
    """A term's number and those that go on from it: `0.1, 0.2 and 0.3`, `0.9 vs 0.99`."""
    found = [first]
    at = first
    while at + 2 < len(items):
        step = 1
        while at + step + 1 < len(items) and (
            items[at + step].text in (",", "and", "or", "und", "et", "y", "o", "oder", "ou")
            or items[at + step].cue("sweep")
            or (items[at + step].text == "of" and step > 1)
            or (items[at + step].text == "/" and items[at + step].end == items[at + step + 1].start)
        ):
            step += 1
        following = at + step
        if step == 1 or following not in free or following >= len(items):
            break
        if _usual(items[term], items[first], entries) and not _usual(
            items[term], items[following], entries
        ):
            break
        after = items[following + 1] if following + 1 < len(items) else None
        if after is not None and after.quantity() and after.clause == items[following].clause:
            break  # the number is another term's
        found.append(following)
        at = following
    return found


def _usual(term: Item, item: Item, entries: Mapping[str, Any]) -> bool:
    """Whether a number is in the range that is usual for a term."""
    number = item.number
    ranges = [entries[name]["usual"] for name in term.names("quantity") if name in entries]
    values = (number.many or (number.value,)) if number is not None else ()
    return any(all(low <= v <= high for v in values) for low, high in ranges)


def _cost(
    items: list[Item], number: int, term: int, name: str, entries: Mapping[str, Any]
) -> float:
    entry = entries.get(name)
    if entry is None:
        return LIMIT + 1
    after = number > term
    between = items[min(number, term) + 1 : max(number, term)]
    price = sum(_between(item, name) for item in between)
    count = entry.get("count") or " per " in items[term].text
    if after:
        price += 0.8 if count else 0.0
        price -= 0.5 * any(item.text in "=:" for item in between)
    else:
        price += 0.0 if count else 1.2
    if name in STEPS:
        price += 0.3
    low, high = entry["usual"]
    value = items[number].number
    if value is not None and not all(low <= v <= high for v in value.many or (value.value,)):
        price += 1.5
    return price


def _between(item: Item, name: str) -> float:
    if item.text in "=:()\"'`":
        return 0.0
    if item.text in (",", "/", "|"):
        return 2.5
    if item.number is not None:
        return 6.0
    if item.quantity(name):
        return 0.1
    if item.quantity():
        return 3.0
    if item.text in ("and", "but", "und", "et", "y"):
        return 2.0
    if item.cue("link"):
        return 0.1
    if item.cue("actor", "critic", "each", "usual", "network", "decay"):
        return 0.3
    return 1.0 if item.is_word else 0.5
