"""Phrases about the experiment as a whole: seeds, budgets, how surely, where, how it searches."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ppoc.compiler.experiment.plan import SEEDS
from ppoc.draft.experiment.reading.phrases import phrases, written_out
from ppoc.draft.experiment.reading.row import TAKEN, Found, Row, environment
from ppoc.draft.experiment.reading.view import Span
from ppoc.draft.text.claims import Claim, Note, plain

MOST = 1000  # seeds
LONG = 10_000  # steps of a run; fewer, `each`, are those of an environment
HOURS = {"h": 1.0, "m": 1 / 60, "d": 24.0, "s": 1.0}  # by the first letter of a unit


@dataclass
class Facts:
    """Claims about the experiment, and the words that they are read from.

    Attributes:
        baseline: words for the setting that others are compared with.
        searches: whether something is to be searched for.
    """

    claims: list[Claim] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: list[Span] = field(default_factory=list)
    baseline: Found | None = None
    searches: bool = False

    def value(self, path: str) -> Any:
        """The value that is claimed for a path, or None."""
        return next((claim.value for claim in self.claims if claim.path == path), None)


def _whole(found: Found) -> int | None:
    value = found.numbers[0].value
    return int(value) if value.is_integer() and value >= 1 else None


def _share(found: Found) -> float | None:
    value = found.numbers[0].value
    value = value / 100 if value > 1 else value
    return float(f"{value:.12g}") if 0.5 <= value < 1 else None


def _number(found: Found) -> float:
    value = found.numbers[0].value
    return int(value) if value.is_integer() else value


def _hours(found: Found) -> float | None:
    unit = next(t.text for t in found.tokens if re.fullmatch(written_out("{HOURS}"), t.text))
    value = float(f"{found.numbers[0].value * HOURS[unit[0]]:.6g}")
    return value if value > 0 else None


VALUES: dict[str, Callable[[Found], Any]] = {
    "whole": _whole,
    "share": _share,
    "number": _number,
    "hours": _hours,
}


def read_facts(row: Row) -> Facts:
    """Everything that a request says about an experiment as a whole; its words count as read."""
    facts = Facts()
    facts.searches = bool(row.find("{SEARCH}"))
    for phrase in phrases()["phrases"]:
        for found in row.find(phrase["pattern"]):
            value = VALUES[phrase["value"]](found) if "value" in phrase else phrase["is"]
            _claim(row, facts, phrase["path"], value, found)
    for found in row.find("{SEARCH}"):
        take(row, facts, found)
    _scores(row, facts)
    _seeds(row, facts)
    _each(row, facts)
    _baseline(row, facts)
    return facts


def take(row: Row, facts: Facts, found: Found) -> None:
    """Count words as read, and leave them out of what readers of runs see."""
    facts.left_out.append(found.span)
    row.take(found.first, found.last)


def _claim(row: Row, facts: Facts, path: str, value: Any, found: Found, how: str = "") -> None:
    if value is None:
        return
    words = plain(row.request[found.start : found.end])
    earlier = facts.value(path)
    if earlier is not None and earlier != value:
        text = f"`{path}` is said twice: taking {value}, the last"
        facts.notes.append(Note("question", words, text))
        facts.claims = [claim for claim in facts.claims if claim.path != path]
    facts.claims.append(Claim(path, value, found.start, found.end, how))
    take(row, facts, found)


def _scores(row: Row, facts: Facts) -> None:
    """`scores of Hopper from 0 to 3500`: returns that count as 0 and as 1."""
    for found in row.find(phrases()["scores"]):
        for at, token in enumerate(found.tokens):
            if token.text != "@env":
                continue
            match = environment(token, {other.text for other in row.tokens})
            ends = [t.item.number for t in found.tokens[at:] if t.item.number is not None][:2]
            own = replace(found, start=token.start, end=ends[1].end)
            if match.env_id is None:
                facts.notes.append(Note("cannot", row.request[own.start : own.end], match.how))
            else:
                value = [end.value for end in ends]
                facts.claims.append(Claim(f"compare.scores.{match.env_id}", value, *own.span))
        take(row, facts, found)


def _seeds(row: Row, facts: Facts) -> None:
    """`five seeds`, `seeds 3, 5 and 8`, `8 independent runs`, `repeated 5 times`."""
    for found in row.find(r"{BEFORE}{RANDOM}seeds?(?: (?::|=|of))* #{COMMAS}"):
        _claim(row, facts, "seeds", _seed_list([n.value for n in found.numbers]), found)
    for found in row.find(r"{BEFORE}{RANDOM}seeds (?:from )?# (?:to|through|until|-|bis) #"):
        first, last = (int(n.value) for n in found.numbers)
        many = list(range(first, last + 1)) if 0 <= last - first < MOST else None
        _claim(row, facts, "seeds", many, found)
    for found in row.find(r"{BEFORE}{RANDOM}seeds(?: (?::|=))* #"):
        number = found.numbers[0]
        words = plain(row.request[found.start : found.end])
        if number.many:
            dashes = len(number.many) == 2 and row.request[number.start] not in "[({"
            first, last = int(number.many[0]), int(number.many[-1])
            own = [float(v) for v in range(first, min(last, first + MOST) + 1)]
            _claim(row, facts, "seeds", _seed_list(own if dashes else number.many), found)
        elif (count := _whole(found)) is not None:
            text = f"{count} seeds, 1 to {count}; of the one seed {count}, say `seed {count}`"
            facts.notes.append(Note("question", words, text))
            _claim(row, facts, "seeds", count, found)
    repeat = r"(?:repeat(?:ed|ing)?|run|train(?:ed)?)(?: \w+){0,3}? # times(?: each)?"
    for pattern in (r"{BEFORE}# {RANDOM}(?:{SEEDS})(?: (?:{EACH}))?", repeat):
        for found in row.find(pattern):
            count = _whole(found)
            if count is not None and count > MOST:
                words = plain(row.request[found.start : found.end])
                facts.notes.append(Note("cannot", words, f"between 1 and {MOST} seeds, please"))
                take(row, facts, found)
            else:
                _claim(row, facts, "seeds", count, found)
    for found in row.find(
        r"{BEFORE}(?:a few|several|multiple|many|some|a couple of) {RANDOM}seeds"
    ):
        words = plain(row.request[found.start : found.end])
        facts.notes.append(Note("question", words, f"how many seeds? {SEEDS}, the language's"))
        _claim(row, facts, "seeds", SEEDS, found, "default")


def _seed_list(values: Sequence[float]) -> list[int] | None:
    whole = all(value.is_integer() and 0 <= value < 2**31 for value in values)
    return list(dict.fromkeys(int(value) for value in values)) if whole else None


def _each(row: Row, facts: Facts) -> None:
    """`a million steps each`: of a run, not of an environment in a rollout."""
    for found in row.find(r"# (?:{STEPS}) (?P<each>{EACH})"):
        if found.numbers[0].value >= LONG and (each := row.part(found, "each")) is not None:
            take(row, facts, each)
    for found in row.find(r"(?P<each>{EACH_TAKES})(?: \w+)? # (?:{STEPS})"):
        if (each := row.part(found, "each")) is not None:
            take(row, facts, each)


def _baseline(row: Row, facts: Facts) -> None:
    for pattern in phrases()["baselines"]:
        for found in row.find(pattern):
            words = row.part(found, "words")
            if facts.baseline is None and words is not None and TAKEN not in words.text:
                facts.baseline = words
                take(row, facts, found)
