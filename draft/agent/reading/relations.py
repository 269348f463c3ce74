"""Values given by others: `three times the actor's rate`, `half as many epochs`."""

from typing import Any

from ppoc.draft.agent.fields import is_whole, preset_values, takes
from ppoc.draft.agent.request import Request
from ppoc.draft.text.items import Item

DOWN = {"reduce", "lower", "decrease", "cut", "drop", "shrink", "divide", "reduced", "lowered"}
UP = {"increase", "raise", "grow", "boost", "multiply", "increased", "raised"}
LESS = {"smaller", "lower", "slower", "less", "fewer", "shorter"}
THAT = {"that", "this", "it", "those", "them"}
FACTORS = {"double": 2.0, "triple": 3.0, "half": 0.5, "third": 1 / 3, "quarter": 0.25, "tenth": 0.1}


def read_relations(reader: Request) -> None:
    """Claim what is said in proportion to something else."""
    for at in range(len(reader.items)):
        _by_so_much(reader, at)
        _so_many_more(reader, at)
    for at, item in enumerate(reader.items):
        found = _factor(reader, at)
        if found is None:
            continue
        factor, last = found
        if _of_that(reader, at, last, factor) or _of_the_other(reader, at, last, factor):
            continue
        if item.text != "same":
            _of_the_present(reader, at, last, factor, item)


def _by_so_much(reader: Request, at: int) -> None:
    """`lower the learning rate by 20 %`, `divide it by 10`, `reduce the entropy by half`."""
    items, verb = reader.items, reader.items[at]
    if verb.text not in DOWN | UP:
        return
    down = verb.text in DOWN
    near = [i for i in range(at + 1, min(at + 9, len(items))) if items[i].clause == verb.clause]
    term = next((i for i in near if items[i].quantity()), None)
    by = next((i for i in near if items[i].text == "by"), None)
    if term is None or by is None or by < term:
        return
    last = next((i for i in near if i > by and (i in reader.free or items[i].cue("half"))), None)
    if last is None:
        return
    number, words = items[last].number, reader.reading.words(items[by].start, items[last].end)
    if number is None:
        factor = 0.5 if down else 1.5
    elif "%" in words or "percent" in words:
        factor = 1 - number.value if down else 1 + number.value
    elif "factor" in words or verb.text in ("divide", "multiply"):
        factor = (1 / number.value if down else number.value) if number.value else 0.0
    else:
        _changed(reader, term, at, last, difference=-number.value if down else number.value)
        return
    _changed(reader, term, at, last, factor=factor)


def _so_many_more(reader: Request, at: int) -> None:
    """`8 more environments`, `two fewer epochs`."""
    items = reader.items
    if at not in reader.free or at + 2 >= len(items):
        return
    number, word, term = items[at].number, items[at + 1].text, items[at + 2]
    counted = term.quantity() and not term.quantity("layers", "units", "seeds")
    if number is not None and counted and word in {"more", "additional", "extra", "fewer", "less"}:
        sign = -1 if word in LESS else 1
        _changed(reader, at + 2, at, at + 2, difference=sign * number.value)


def _changed(
    reader: Request,
    term: int,
    first: int,
    last: int,
    factor: float = 1.0,
    difference: float = 0.0,
) -> None:
    """Claim the present value of a term times a factor, plus a difference."""
    reader.free -= {first, last}
    reader.settled_terms.add(term)
    path = reader.path_of(reader.items[term].names("quantity")[0])
    present = (reader.known or preset_values(reader.algorithm)).get(path or "")
    item, end = reader.items[first], reader.items[last]
    if path is None or isinstance(present, bool) or not isinstance(present, int | float):
        reader.note("question", item, f"change it from what? `{path}` is {present}", end)
        return
    value = scaled(path, present + difference, factor)
    if takes(path, value) is not None:
        reader.note("cannot", item, f"`{path}` cannot be {value:g}: {takes(path, value)}", end)
        return
    reader.claim(path, value, item, end, f"from {present:g}")


def _factor(reader: Request, at: int) -> tuple[float, int] | None:
    """A factor that starts at an item, and the index of its last item."""
    items = reader.items
    for name, value in FACTORS.items():
        if items[at].cue(name):
            return value, at
    if items[at].text == "same":
        return 1.0, at
    number = items[at].number
    following = items[at + 1] if at + 1 < len(items) else None
    share = number is not None and at in reader.free and 0 < number.value < 1
    if share and number is not None and any(i.cue("usual") for i in items[at + 1 : at + 3]):
        return number.value, at  # 1/2 the default
    if number is None or at not in reader.free or following is None or not following.cue("times"):
        return None
    after = items[at + 2] if at + 2 < len(items) else None
    if number.value <= 0 or (after is not None and after.number is not None):
        return None
    less = after is not None and after.text in LESS
    return (1 / number.value if less else number.value), at + 1


def _of_the_other(reader: Request, at: int, last: int, factor: float) -> bool:
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


def _of_that(reader: Request, at: int, last: int, factor: float) -> bool:
    """`critic learning rate twice that`: a rate by the one of the other network, said before."""
    items = reader.items
    subject = reader.role(at) or _spoken_of(items, at)
    named = [i for i in items[last + 1 :] if i.clause == items[last].clause]
    named = [i for i in named if i.cue("actor", "critic") and not reader.is_for(i)]
    if subject is None or named or not _points_back(items, at, last):
        return False
    rates = [i for i in items[: last + 4] if i.quantity("lr")]
    if not rates or rates[-1].sentence < items[at].sentence - 1:
        return False
    if items[at].text == "same" and rates[-1].clause < items[at].clause - 1:
        return False
    other = "actor" if subject == "critic" else "critic"
    reader.free.discard(at)
    own = [i for i, item in enumerate(items) if item.clause == items[at].clause and item.is_word]
    reader.settled_terms |= {i for i in own if items[i].quantity("lr")}
    value = Proportion(factor, f"optimizer.{other}.lr")
    how = f"{factor:g} × optimizer.{other}.lr"
    reader.claim(f"optimizer.{subject}.lr", value, items[min(own[0], at)], items[own[-1]], how)
    return True


def _spoken_of(items: list[Item], at: int) -> str | None:
    """The role that a sentence named last before an item."""
    before = [i for i in items[:at] if i.sentence == items[at].sentence]
    roles = [i for i in before if i.cue("actor", "critic")]
    return None if not roles else "critic" if roles[-1].cue("critic") else "actor"


def _points_back(items: list[Item], at: int, last: int) -> bool:
    """Whether a factor is of something said before: `twice that`, `half as much`, `the same`."""
    after = [i for i in items[last + 1 : last + 4] if i.clause == items[last].clause]
    if items[at].text == "same":
        own = [i for i in items if i.clause == items[at].clause]
        return any(i.quantity("lr") for i in own) or all(
            i.cue("actor", "critic", "link")
            or i.text in ("same", "gets", "has", "uses", "and")
            or not i.is_word
            for i in own
        )
    words = [i.text for i in after if i.text != "of"]
    return bool(words) and (words[0] in THAT or words[0] == "as")


def _about_rates(items: list[Item], at: int, last: int) -> bool:
    """Whether learning rates are what a factor compares."""
    clause = [i for i in items if i.clause in (items[at].clause, items[at].clause - 1)]
    words = {i.text for i in clause}
    return any(i.quantity("lr") for i in clause) or bool(
        words & {"learns", "learn", "faster", "fast", "slower", "quicker", "moves", "lr"}
    )


def _of_the_present(reader: Request, at: int, last: int, factor: float, item: Item) -> None:
    """A multiple of the value that the preset, or the spec being edited, has."""
    items = reader.items
    if [i.text for i in items[last + 1 : last + 3]] in (["as", "long"], ["the", "time"]):
        _changed_length(reader, at, last, factor)
        return
    if [i.text for i in items[last + 1 : last + 3]] in (["that", "many"], ["that", "much"]):
        return  # of something said before
    after = range(last + 1, min(last + 7, len(items)))
    usual = any(items[i].cue("usual") and items[i].clause == items[last].clause for i in after)
    if usual and not any(items[i].quantity() for i in after if items[i].clause == items[at].clause):
        after = range(at - 1, max(-1, at - 4), -1)  # the clip half the default
    for i in after:
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


def _changed_length(reader: Request, at: int, last: int, factor: float) -> None:
    """`train twice as long`."""
    path = "training.total_steps"
    present = (reader.known or preset_values(reader.algorithm))[path]
    reader.free.discard(at)
    value = scaled(path, present, factor)
    reader.claim(path, value, reader.items[at], reader.items[last + 2], f"from {present}")


def _followed_by_number(reader: Request, at: int) -> bool:
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
