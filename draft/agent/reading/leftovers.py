"""Numbers beside quantities: those turned down, those that only cite, those left over."""

from itertools import pairwise

from ppoc.draft.agent.reading.amounts import VAGUE
from ppoc.draft.agent.reading.quantities import best_of, claim_number, is_usual
from ppoc.draft.agent.request import Request
from ppoc.draft.text.claims import LOST
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item

NUMBERED = {"figure", "fig", "table", "section", "eq", "algorithm", "version"}
AMISS = VAGUE | {"few", "many", "much", "little", "short", "long", "slow", "fast"}


def replaced_numbers(reader: Request) -> None:
    """`five epochs are not enough, use 15`: a number turned down gives way to the one after it."""
    items = reader.items
    for term, numbers in list(reader.attached.items()):
        at = numbers[0]
        if len(numbers) > 1 or not _turned_down(items, at):
            continue
        taken = {n for others in reader.attached.values() for n in others}
        later = [n for n in sorted(reader.free) if n > at and _soon(items[at], items[n])]
        again = any(
            other != term and items[other].quantity(*items[term].names("quantity")) and n[0] > at
            for other, n in reader.attached.items()
        )
        reader.free.discard(at)
        if later and later[0] not in taken and not again:
            reader.attached[term] = later[:1]
            continue
        del reader.attached[term]
        reader.settled_terms.add(term)
        if not again:
            first, last = sorted((items[term], items[at]), key=lambda i: i.start)
            reader.note("question", first, "this number is turned down, and no other given", last)


def _soon(first: Item, second: Item) -> bool:
    return second.sentence <= first.sentence + 1


def _turned_down(items: list[Item], at: int) -> bool:
    """Whether a number is said to be too large, not enough, or not to be used."""
    before = items[max(0, at - 3) : at]
    if any(i.cue("negation") for i in before) and before[-1].text in ("use", "take", "want"):
        return True
    after: list[Item] = []
    for item in items[at + 1 : at + 9]:
        if item.number is not None or item.sentence != items[at].sentence:
            break
        after.append(item)
    if any(a.cue("negation") and b.text == "too" for a, b in pairwise(after)):
        return False
    return any(
        (a.cue("negation") and b.text == "enough") or (a.text == "too" and b.text in AMISS)
        for a, b in pairwise(after)
    )


def read_leftovers(reader: Request) -> None:
    """Numbers whose quantity is named elsewhere: a correction, a second role, steps as 500k."""
    for at in sorted(reader.free):
        item = reader.items[at]
        before = reader.items[max(0, at - 6) : at]
        earlier = _claimed_before(reader, item)
        corrects = any(i.cue("correction") for i in before)
        clause = [i for i in reader.items if i.clause == item.clause]
        if (
            item.number is not None
            and item.number.value == 0
            and any(i.cue("decay") for i in clause)
        ):
            continue  # `from 0.2 to 0`
        if earlier is None and reader.role(at) and any(i.quantity("lr") for i in clause):
            earlier = ("lr", at)
        if earlier is not None and (
            corrects or (reader.role(at) and _per_role(earlier[0]) and is_usual(earlier[0], item))
        ):
            claim_number(reader, *earlier, at)
        elif item.number is not None and _is_length(reader, item):
            how = "a number of this size alone means steps"
            reader.claim("training.total_steps", int(item.number.value), item, item, how)
        elif _is_odd(reader, at):
            reader.note("question", item, LOST)


def _per_role(name: str) -> bool:
    return bool(glossary().data["quantities"][name].get("per_role"))


def _claimed_before(reader: Request, item: Item) -> tuple[str, int] | None:
    """The nearest quantity before an item that has a number."""
    found = [(t, n) for t, n in reader.attached.items() if reader.items[t].start < item.start]
    if not found:
        return None
    term = max(found)[0]
    return best_of(reader, term), term


def _is_length(reader: Request, item: Item) -> bool:
    number = item.number
    if number is None or number.many or reader.reading.claim("training.total_steps"):
        return False
    return number.scaled and number.value >= 10_000 and number.value.is_integer()


def _is_odd(reader: Request, at: int) -> bool:
    """Whether a number without a term deserves a question: not where it names a thing."""
    item = reader.items[at]
    if not item.text[:1].isdigit() and item.text[:1] not in ".-[":
        return False
    near = [i for i in reader.items if i.clause == item.clause]
    return not any(i.names("unsupported") or i.names("elsewhere") for i in near)


def read_citations(reader: Request) -> None:
    """Years, figures of papers, numbers of machines and of what cannot be are no values."""
    for at in sorted(reader.free):
        number = reader.items[at].number
        before = [i.text for i in reader.items[max(0, at - 3) : at]]
        year = number is not None and 1950 <= number.value <= 2100 and not number.many
        cited = year and bool({"(", "al"} & set(before))
        last = reader.items[at - 1] if at else None
        contrast = last is not None and last.cue("instead")
        contrast = contrast or any(i.cue("machine") for i in reader.items[at + 1 : at + 3])
        if cited or contrast or _of_the_impossible(reader, at) or NUMBERED & set(before[-2:]):
            reader.free.discard(at)


def _of_the_impossible(reader: Request, at: int) -> bool:
    """`a replay buffer of 100000 transitions`: a number of what there is no field for."""
    before = reader.items[at - 1] if at > 1 else None
    if before is not None and before.text in ("of", "=", ":", "at", "size"):
        return bool(reader.items[at - 2].names("unsupported"))
    after = reader.items[at + 1] if at + 1 < len(reader.items) else None
    return after is not None and bool(after.names("unsupported"))
