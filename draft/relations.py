"""Values given by others: `three times the actor's rate`, `half as many epochs`."""

from typing import TYPE_CHECKING, Any

from ppoc.draft.facts import is_whole, preset_values
from ppoc.draft.lexer import Item

if TYPE_CHECKING:
    from ppoc.draft.reader import Reader

FACTORS = {"double": 2.0, "triple": 3.0, "half": 0.5, "third": 1 / 3, "quarter": 0.25, "tenth": 0.1}


def read_relations(reader: "Reader") -> None:
    """Claim what is said in proportion to something else."""
    for at, item in enumerate(reader.items):
        found = _factor(reader, at)
        if found is None:
            continue
        factor, last = found
        if not _of_the_other(reader, at, last, factor):
            _of_the_present(reader, at, last, factor, item)


def _factor(reader: "Reader", at: int) -> tuple[float, int] | None:
    """A factor that starts at an item, and the index of its last item."""
    items = reader.items
    for name, value in FACTORS.items():
        if items[at].cue(name):
            return value, at
    number = items[at].number
    following = items[at + 1] if at + 1 < len(items) else None
    if number is None or at not in reader.free or following is None or not following.cue("times"):
        return None
    if number.value <= 0 or (at + 2 < len(items) and items[at + 2].number is not None):
        return None
    return number.value, at + 1


def _of_the_other(reader: "Reader", at: int, last: int, factor: float) -> bool:
    """The critic's rate by the actor's, or the other way round."""
    items = reader.items
    before = [
        i for i in items[:at] if i.sentence == items[at].sentence and i.cue("actor", "critic")
    ]
    after = [
        i
        for i in items[last + 1 : last + 10]
        if i.clause == items[last].clause and i.cue("actor", "critic")
    ]
    if not before or not after or not _about_rates(items, at, last):
        return False
    subject = "critic" if before[-1].cue("critic") else "actor"
    other = "critic" if after[0].cue("critic") else "actor"
    if subject == other:
        return False
    reader.free.discard(at)
    how = f"{factor:g} × optimizer.{other}.lr"
    # Resolved when everything else has been read: the other rate may be given further on.
    value = Proportion(factor, f"optimizer.{other}.lr")
    reader.claim(f"optimizer.{subject}.lr", value, before[-1], after[0], how)
    return True


def _about_rates(items: list[Item], at: int, last: int) -> bool:
    """Whether learning rates are what a factor compares."""
    clause = [i for i in items if i.clause in (items[at].clause, items[at].clause - 1)]
    words = {i.text for i in clause}
    return any(i.quantity("lr") for i in clause) or bool(
        words & {"learns", "learn", "faster", "fast", "slower", "quicker", "moves", "lr"}
    )


def _of_the_present(reader: "Reader", at: int, last: int, factor: float, item: Item) -> None:
    """A multiple of the value that the preset, or the spec being edited, has."""
    items = reader.items
    for i in range(last + 1, min(last + 7, len(items))):
        term = items[i]
        if term.clause != items[last].clause or term.number is not None:
            return
        names = [n for n in term.names("quantity") if n not in ("layers", "units", "seeds")]
        if not names:
            continue
        path = reader.path_of(names[0])
        values = reader.known or preset_values(reader.algorithm)
        if path is None or _followed_by_number(reader, i):
            return
        reader.free.discard(at)
        reader.settled_terms.add(i)
        if reader.known is None and names[0] == "lr" and reader.role(i) == "critic":
            path = "optimizer.critic.lr"
        present = values.get(path)
        if not isinstance(present, int | float) or not present:
            what = "nothing" if present is None else present
            reader.note("question", item, f"{factor:g} times {what}: give `{path}` a number", term)
            return
        how = f"{factor:g} × {present:g}, {'the present value' if reader.known else 'the preset'}"
        reader.claim(path, scaled(path, present, factor), item, term, how)
        return


def _followed_by_number(reader: "Reader", at: int) -> bool:
    following = reader.items[at + 1 : at + 3]
    return any(i.number is not None and i.clause == reader.items[at].clause for i in following)


def scaled(path: str, value: float, factor: float) -> Any:
    """A multiple of a value, whole where the field is."""
    product = float(f"{value * factor:.12g}")
    return round(product) if is_whole(path) else product


class Proportion:
    """A multiple of another field, until that one is known."""

    def __init__(self, factor: float, path: str) -> None:
        self.factor = factor
        self.path = path
