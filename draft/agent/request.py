"""A request under reading: its words, what they have claimed, and whom a word is about."""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.agent.context import context
from ppoc.draft.agent.lexer import lex
from ppoc.draft.text.claims import Claim, Note, Reading
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item

AFTERWARDS = ("off", "disabled", "false", "none")  # negations that follow what they negate


class Request:
    """A request's items, and what they claim so far.

    Args:
        known: values it may refer to, of a preset or an edited spec.
    """

    def __init__(self, request: str, known: Mapping[str, Any] | None = None) -> None:
        self.reading = Reading(request)
        self.items = context(lex(request))
        self.free = {i for i, item in enumerate(self.items) if item.number is not None}
        self.attached: dict[int, list[int]] = {}
        self.settled_terms: set[int] = set()  # whose value a relation gave, or asked for
        self.known = known
        self.algorithm = str(known["algorithm"]) if known else "ppo"

    def claim(
        self,
        path: str,
        value: Any,
        first: Item,
        last: Item,
        how: str = "",
        assumed: bool = False,
    ) -> None:
        """Note that some items say a value."""
        start, end = min(first.start, last.start), max(first.end, last.end)
        self.reading.claims.append(Claim(path, value, start, end, how, assumed))

    def note(self, kind: Any, item: Item, text: str, last: Item | None = None) -> None:
        """Note something that no field can hold."""
        ends = (item, last or item)
        words = self.reading.words(min(i.start for i in ends), max(i.end for i in ends))
        self.reading.notes.append(Note(kind, words, text))

    def negated(self, at: int, reach: int = 5) -> bool:
        """Whether a negation stands before an item, in its clause, with no number in between."""
        item = self.items[at]
        if item.cue("negation"):
            return True
        for other in reversed(self.items[max(0, at - reach) : at]):
            if other.clause != item.clause or other.number is not None:
                break
            if other.cue("negation") and other.text not in AFTERWARDS:
                return True
        following = [i for i in self.items[at + 1 : at + 5] if i.text not in "=:"][:2]
        return any(o.text in AFTERWARDS and o.clause == item.clause for o in following)

    def role(self, at: int) -> str | None:
        """The owner of the network or rate that an item is about: actor, critic, or both (None)."""
        item = self.items[at]
        near = [
            (abs(i - at) + (3.0 if i > at else 0.0), other)
            for i, other in enumerate(self.items)
            if other.clause == item.clause and other.cue("actor", "critic", "both")
        ]
        after = [other for _, other in near if other.start > item.start]
        if any(self.is_for(other) for other in after):
            near = [(0.0, other) for other in after]
        if not near or any(other.cue("both") for _, other in near):
            return None
        roles = {"critic" if other.cue("critic") else "actor" for _, other in near}
        if len(roles) == 2 and (not self._apart(item) or self._joined(item)):
            return None
        nearest = min(near, key=lambda pair: pair[0])[1]
        return "critic" if nearest.cue("critic") else "actor"

    def is_for(self, item: Item) -> bool:
        """`3e-4 for the policy`: a role that follows what is said of it."""
        before = self.reading.request[max(0, item.start - 8) : item.start].lower()
        return before.endswith(("for ", "for the "))

    def _apart(self, item: Item) -> bool:
        """Whether actor and critic are spoken of one after the other, not together."""
        return any(i.number is not None for i in self.items if i.clause == item.clause)

    def _joined(self, item: Item) -> bool:
        """Whether one number is for `actor and critic`, named side by side."""
        own = [i for i in self.items if i.clause == item.clause]
        places = [i for i, other in enumerate(own) if other.cue("actor", "critic")]
        between = [i.text for i in own[places[0] + 1 : places[-1]]]
        single = sum(i.number is not None for i in own) == 1
        return single and len(places) == 2 and set(between) <= {"and", "the"}

    def replaced(self, at: int) -> bool:
        """Whether an algorithm is the one that is not wanted."""
        before = self.items[max(0, at - 2) : at]
        return any(i.cue("instead") or i.cue("negation") for i in before)

    def path_of(self, name: str) -> str | None:
        """Where a quantity lives, under the algorithm of this request."""
        entry = glossary().data["quantities"][name]
        path: str | None = entry.get("when", {}).get(self.algorithm, entry["path"])
        if path == "update.target_kl" and any(item.cue("adaptive") for item in self.items):
            return "optimizer.actor.kl_target"
        return path
