"""Values of a quantity that an earlier sentence names: `Does lambda matter? Try 0.9 and 1`."""

from collections.abc import Iterator

from ppoc.draft.experiment.reading.facts import Facts
from ppoc.draft.experiment.reading.groups import STOPS, Alternative, Group
from ppoc.draft.experiment.reading.phrases import phrases
from ppoc.draft.experiment.reading.row import TAKEN, Found, Row, Token
from ppoc.draft.text.claims import Note, plain
from ppoc.draft.text.glossary import glossary

NEAR = 3  # words before or after a quantity, that a number of its own may stand in


def tried(row: Row, facts: Facts) -> Iterator[Group]:
    """Rows of numbers without a quantity of their own, each an alternative of the one asked about.

    Where several quantities are named, the nearest that such values are usual for is taken, and
    noted as a guess.
    """
    for found in row.find(phrases()["tried"]):
        listed = row.part(found, "values")
        if listed is None or not _stands_alone(row, found):
            continue
        values = [v for n in listed.numbers for v in n.many or (n.value,)]
        named = _named(row, found.first)
        usual = [token for token in named if _is_usual(token, values)]
        if len(values) < 2 or not named:
            continue
        asked = (usual or named)[-1]
        words = row.request[asked.item.start : asked.item.end]
        if len(usual) != 1:
            text = f"values of what? They are taken as those of the {plain(words)}"
            facts.notes.append(Note("question", plain(row.request[slice(*listed.span)]), text))
        frame = [(asked.item.start, asked.item.end), (found.start, listed.start)]
        yield Group(listed.span, [*_alternatives(listed, words)], frame=frame)
        row.take(found.first, found.last)
        own = [i for i, token in enumerate(row.tokens) if token.item is asked.item]
        row.take(own[0], own[-1] + 1)


def _alternatives(listed: Found, words: str) -> Iterator[Alternative]:
    """A quantity with each of the numbers of a row."""
    for token in listed.tokens:
        number = token.item.number
        if number is not None and number.many:
            for value in number.many:
                yield Alternative((f"{words} of {value!r}",), listed.span)
        elif number is not None:
            yield Alternative((f"{words} of", (token.start, token.end)), listed.span)


def _stands_alone(row: Row, found: Found) -> bool:
    """Whether a row begins its sentence or follows a verb, and no quantity is beside it."""
    first, last = row.sentence(found.first)
    if "verb" not in found.parts and found.first != first:
        return False
    after = found.last
    while after < last and row.tokens[after].text not in STOPS:
        after += 1
    beside = [*row.tokens[first : found.first], *row.tokens[found.last : after]]
    return not any(t.item.names("quantity") for t in beside if t.text != TAKEN)


def _named(row: Row, before: int) -> list[Token]:
    """The quantities of the nearest earlier sentence that names some without a number."""
    own = row.tokens[before].item.sentence
    found: list[Token] = []
    for at, token in enumerate(row.tokens[:before]):
        near = row.tokens[max(0, at - 1) : at + NEAR + 1]
        names = token.item.names("quantity")
        known = token.text != TAKEN and token.item.sentence < own and token.item.number is None
        if not names or not known or any(other.text == "#" for other in near):
            continue
        if found and found[-1].item.sentence != token.item.sentence:
            found = []
        if not found or found[-1].item is not token.item:
            found.append(token)
    return found


def _is_usual(token: Token, values: list[float]) -> bool:
    """Whether all values are usual for what a token names."""
    ranges = [glossary().data["quantities"][n]["usual"] for n in token.item.names("quantity")]
    return any(all(low <= value <= high for value in values) for low, high in ranges)
