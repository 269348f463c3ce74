"""Schedules of points: `the learning rate follows the points [0, 1], [0.5, 0.1], [1, 0]`."""

from ppoc.draft.agent.fields import takes
from ppoc.draft.agent.request import Request
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item
from ppoc.draft.text.points import pairs


def read_points(reader: Request) -> None:
    """Claim the points [progress, factor] that a rate or a range is said to follow."""
    for at, item in enumerate(reader.items):
        if not item.cue("points"):
            continue
        places = list(pairs(reader.items, at + 1))
        term = _followed(reader.items, at)
        if not places or term is None:
            continue
        place, name = term
        path = glossary().data["schedulable"][name]
        if name == "lr" and reader.role(at) == "critic":
            path = path.replace(".actor.", ".critic.")
        value = [list(reader.items[i].number.many) for i in places]  # type: ignore[union-attr]
        problem = takes(path, value)
        if problem is None:
            reader.claim(path, value, item, reader.items[places[-1]])
        else:
            reader.note("cannot", item, f"`{path}`: {problem}", reader.items[places[-1]])
        reader.free -= set(places)
        reader.settled_terms.add(place)


def _followed(items: list[Item], at: int) -> tuple[int, str] | None:
    """The quantity that follows the points, the last one named before them, and where."""
    names = glossary().data["schedulable"]
    for place in range(at - 1, -1, -1):
        item = items[place]
        if item.sentence != items[at].sentence:
            return None
        found = [name for name in item.names("quantity") if name in names]
        if found:
            return place, found[0]
    return None
