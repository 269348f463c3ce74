"""Ranges to search, and tasks to run on: `between 1e-5 and 1e-2`, `on Hopper and Walker2d`."""

from collections.abc import Iterator

from ppoc.draft.experiment.reading.facts import Facts
from ppoc.draft.experiment.reading.groups import Alternative, Group
from ppoc.draft.experiment.reading.phrases import phrases
from ppoc.draft.experiment.reading.row import TAKEN, Found, Row, Token, environment
from ppoc.draft.text.claims import Claim, Note

DECAYS = {"decay", "constant", "cosine"}


def ranges(row: Row, facts: Facts) -> Iterator[Group]:
    """Ranges of numbers: two ends, each in the place of both."""
    patterns = phrases()["ranges"]
    searches = facts.searches or bool(row.find("{SWEEP}"))
    chosen = [*patterns.values()] if searches else [patterns["between"]]
    for found in row.find("{LOG}"):
        facts.left_out.append(found.span)
        row.take(found.first, found.last)
    for pattern in chosen:
        for found in row.find(pattern):
            sentence = found.tokens[0].item.sentence
            own = [t.item for t in row.tokens if t.item.sentence == sentence]
            if not facts.searches and any(item.cue(*DECAYS) for item in own):
                continue
            ends = _ends(row, found)
            if ends is None:
                continue
            made = [Alternative((end,), found.span) for end in ends]
            yield Group(found.span, made, range=True)
            row.take(found.first, found.last)


def usual_ranges(row: Row, facts: Facts) -> Iterator[Group]:
    """`find the best learning rate`: quantities without numbers, over their usual ranges."""
    usual = phrases()["usual"]
    searching = {t.item.sentence for t in row.tokens if facts.searches and t.text == TAKEN}
    seen: set[int] = set()
    for index, token in enumerate(row.tokens):
        names = [name for name in token.item.names("quantity") if name in usual]
        number = any(t.text in ("#", TAKEN) for t in row.tokens[index + 1 : index + 4])
        before = index > 0 and row.tokens[index - 1].text in ("#", TAKEN, "-")
        if not names or token.item.sentence not in searching or token.item.start in seen:
            continue
        seen.add(token.item.start)
        if not number and (not before or row.tokens[index - 1].text == TAKEN):
            end = token.item.end
            made = [Alternative((value,), (token.item.start, end)) for value in usual[names[0]]]
            yield Group((end, end), made, range=True, assumed=True)


def _ends(row: Row, found: Found) -> tuple[str, str] | None:
    low, high = row.part(found, "low"), row.part(found, "high")
    if low is not None and high is not None:
        numbers = (low.numbers[0], high.numbers[0])
        if any(number.many for number in numbers) or numbers[0].value >= numbers[1].value:
            return None
        return repr(numbers[0].value), repr(numbers[1].value)
    many = row.part(found, "many")
    values = many.numbers[0].many if many is not None else ()
    if len(values) == 2 and values[0] < values[1]:
        return repr(values[0]), repr(values[1])
    return None


def tasks(row: Row, facts: Facts) -> None:
    """Several environments in a row: the first stays in the text, and all are tasks."""
    words = {token.text for token in row.tokens}
    for found in row.find("{TASK_ROW}"):
        named = [token for token in found.tokens if token.text == "@env"]
        ids: dict[str, Token] = {}
        for token in named:
            match = environment(token, words)
            if match.env_id is None:
                text = f"{match.how}; it is left out of the tasks"
                facts.notes.append(Note("cannot", row.request[token.start : token.end], text))
            else:
                ids.setdefault(match.env_id, token)
        if (len(ids) > 1 or "task" in found.text) and ids and facts.value("tasks") is None:
            facts.claims.append(Claim("tasks", list(ids), named[0].start, named[-1].end))
            first = next(iter(ids.values()))
            for token in found.tokens:
                if token.start != first.start:
                    facts.left_out.append((token.start, token.end))
