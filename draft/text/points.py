"""Points of a schedule in a request and in words: `[0, 1], [0.5, 0.1], [1, 0]`."""

from collections.abc import Iterator, Sequence

from ppoc.draft.text.items import Item

BETWEEN = (",", ";", ":", "and", "of", "the", "=")


def in_words(schedule: list[list[float]]) -> str:
    """A schedule's points of progress and factor, as they are read again."""
    pairs = [", ".join(f"{x:.0f}" if x.is_integer() else f"{x!r}" for x in p) for p in schedule]
    return f"the points {', '.join(f'[{pair}]' for pair in pairs)}"


def pairs(items: Sequence[Item], start: int) -> Iterator[int]:
    """Where pairs of numbers stand, one after the other."""
    for at in range(start, len(items)):
        number = items[at].number
        if number is not None and len(number.many) == 2 and not number.repeated:
            yield at
        elif items[at].text not in BETWEEN:
            return
