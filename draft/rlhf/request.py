"""A request for a language model under reading: its words, and what they have claimed."""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.rlhf.fields import takes
from ppoc.draft.rlhf.lexer import lex
from ppoc.draft.text.claims import Claim, Note, Reading
from ppoc.draft.text.items import Item

REACH = 5  # items before a term in which a negation is of it


class RlhfRequest:
    """A request's items, and what they claim so far.

    Args:
        known: values of a spec that is edited.
    """

    def __init__(self, request: str, known: Mapping[str, Any] | None = None) -> None:
        self.reading = Reading(request, kind="rlhf")
        self.items = lex(request)
        self.free = {i for i, item in enumerate(self.items) if item.number is not None}
        self.known = known
        self.stages: list[str] = []  # that are asked for; none: all of them

    def claim(self, path: str, value: Any, first: Item, last: Item | None = None) -> None:
        """Note a value that some items say and the language takes; of two, the later one counts."""
        ends = (first, last or first)
        start, end = min(item.start for item in ends), max(item.end for item in ends)
        problem = takes(path, value)
        if problem is not None:
            words = self.reading.words(start, end)
            text = f"`{path}` cannot be {value!r}: {problem}"
            self.reading.notes.append(Note("cannot", words, text))
            return
        earlier, later = self.reading.claim(path), Claim(path, value, start, end)
        if earlier is not None and earlier.value != value:
            earlier, later = sorted((earlier, later), key=lambda claim: claim.start)
            words = self.reading.words(earlier.start, earlier.end)
            text = f"`{path}` is said twice; the later one counts, {later.value!r}"
            self.reading.notes.append(Note("question", words, text))
        if earlier is None or earlier.value != later.value:
            self.reading.claims = [c for c in self.reading.claims if c.path != path] + [later]

    def negated(self, at: int) -> bool:
        """Whether a negation stands before an item of its clause, or right after it."""
        item = self.items[at]
        for other in reversed(self.items[max(0, at - REACH) : at]):
            if other.clause != item.clause or other.number is not None:
                break
            if other.cue("negation") and other.text not in ("off", "zero"):
                return True
        following = self.items[at + 1 : at + 3]
        return any(o.text in ("off", "disabled") and o.clause == item.clause for o in following)
