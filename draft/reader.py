"""The offline engine: a request read by grammar and glossary into claims and notes.

Numbers are attached to quantities (attach.py, quantities.py); networks, algorithms, relations and
what is said without numbers have files of their own. What cannot be expressed becomes a note.
"""

from collections.abc import Mapping
from typing import Any

from ppoc.draft import environments, images, phrases, quantities
from ppoc.draft.attach import attach, context
from ppoc.draft.claims import Claim, Note, Reading
from ppoc.draft.facts import STAND_IN
from ppoc.draft.glossary import glossary
from ppoc.draft.lexer import Item, lex
from ppoc.draft.networks import read_layers
from ppoc.draft.points import read_points
from ppoc.draft.relations import read_relations

MAX_CHARACTERS = 4000  # a page
AFTERWARDS = ("off", "disabled", "false", "none")  # negations that follow what they negate


class RequestError(Exception):
    """A request that cannot be read at all."""


class Reader:
    """Reads one request; `known` are the values it may refer to, of a preset or an edited spec."""

    def __init__(self, request: str, known: Mapping[str, Any] | None = None) -> None:
        if len(request) > MAX_CHARACTERS:
            raise RequestError(f"the request has more than {MAX_CHARACTERS:,} characters")
        self.reading = Reading(request)
        self.items = context(lex(request))
        self.free = {i for i, item in enumerate(self.items) if item.number is not None}
        self.attached: dict[int, list[int]] = {}
        self.settled_terms: set[int] = set()  # whose value a relation gave, or asked for
        self.known = known
        self.algorithm = str(known["algorithm"]) if known else "ppo"

    def read(self) -> Reading:
        """Everything that the request says."""
        phrases.read_base(self)
        self._algorithm()
        self._environment()
        quantities.read_citations(self)
        images.read_resize(self)
        read_points(self)
        read_layers(self)
        read_relations(self)
        self._quantities()
        quantities.read_leftovers(self)
        phrases.read_choices(self)
        quantities.read_implied(self)
        phrases.read_switches(self)
        phrases.read_normalization(self)
        phrases.read_schedules(self)
        quantities.read_amounts(self)
        quantities.read_sizes(self)
        phrases.read_unsupported(self)
        quantities.read_unused(self)
        self.reading.claims = images.settled(self, quantities.settled(self))
        return self.reading

    def claim(self, path: str, value: Any, first: Item, last: Item, how: str = "") -> None:
        """Note that some items say a value."""
        start, end = min(first.start, last.start), max(first.end, last.end)
        self.reading.claims.append(Claim(path, value, start, end, how))

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
        """Whose network or rate an item is about: actor, critic, or both of them (None)."""
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

    def _algorithm(self) -> None:
        named = [(i, item) for i, item in enumerate(self.items) if item.names("algorithm")]
        named = [(i, item) for i, item in named if not self.replaced(i)]
        chosen: dict[str, Item] = {}
        for _, item in self._after_corrections(named):
            for name in item.names("algorithm"):
                chosen.setdefault(name, item)
        chosen = _most_specific(chosen)
        if not chosen:
            return
        name, item = next(iter(chosen.items()))
        name = phrases.refined(self, name)
        self.algorithm = name
        self.claim("algorithm", name, item, item)
        for other, item in list(chosen.items())[1:]:
            self.note("question", item, f"one spec is one algorithm; this one is {name}, and "
                      f"`-s algorithm={other}` runs the other")  # fmt: skip

    def _after_corrections(self, named: list[tuple[int, Item]]) -> list[tuple[int, Item]]:
        """Of names, those after the last `actually` or `no wait` between two of them."""
        cues = [i for i, item in enumerate(self.items) if item.cue("correction")]
        for cue in reversed(cues):
            later = [pair for pair in named if pair[0] > cue]
            if later and len(later) < len(named):
                return later
        return named

    def replaced(self, at: int) -> bool:
        """Whether an algorithm is the one that is not wanted."""
        before = self.items[max(0, at - 2) : at]
        return any(i.cue("instead") or i.cue("negation") for i in before)

    def _environment(self) -> None:
        words = {item.text for item in self.items}
        found: dict[str, tuple[Item, str]] = {}
        for i, item in enumerate(self.items):
            if self.replaced(i):
                continue
            for env_id in item.names("id"):
                match = environments.by_id(env_id)
                if match.env_id is None:
                    self.note("cannot", item, match.how)
                else:
                    if match.how:
                        self.note("adapted", item, f"{match.how}: {match.env_id}")
                    found.setdefault(match.env_id, (item, match.how))
            for name in item.names("environment"):
                if environments.is_ordinary(name) and not phrases.names_a_task(self, i):
                    continue
                match = environments.by_name(name, words)
                if match.env_id is not None:
                    found.setdefault(match.env_id, (item, match.how))
                else:
                    self.note("cannot", item, f"{match.how}; {STAND_IN} stands in")
        if not found and (self.known is not None or self.reading.base):
            return
        if not found:
            phrases.note_unknown_environment(self)
            return
        # The one that says most: `inverted double pendulum` also holds `pendulum`.
        env_id, (item, how) = next(iter(found.items()))
        self.claim("env.id", env_id, item, item, how)
        for other, (item, _) in list(found.items())[1:]:
            self.note("question", item, f"one spec is one environment; this one is {env_id}, and "
                      f"`-s env.id={other}` runs the other")  # fmt: skip

    def _quantities(self) -> None:
        self.attached = attach(self.items, self.free)
        quantities.replaced_numbers(self)
        for term, numbers in sorted(self.attached.items()):
            self.free -= set(numbers)
            quantities.read_quantity(self, term, numbers)

    def path_of(self, name: str) -> str | None:
        """Where a quantity lives, under the algorithm of this request."""
        entry = glossary().data["quantities"][name]
        path: str | None = entry.get("when", {}).get(self.algorithm, entry["path"])
        if path == "update.target_kl" and any(item.cue("adaptive") for item in self.items):
            return "optimizer.actor.kl_target"
        return path


def _is_general(item: Item) -> bool:
    """Whether only `policy gradient` is said, which every algorithm here is."""
    return item.text.startswith("policy gradient")


def _most_specific(chosen: dict[str, Item]) -> dict[str, Item]:
    """Without algorithms that another one named here is a kind of."""
    kinds = {"ppo": "ppo-", "reinforce": "reinforce-", "td-actor-critic": "", "a2c": "a2c-"}
    named = {name: item for name, item in chosen.items() if not _is_general(item)}
    chosen = named or chosen
    found = dict(chosen)
    for general, prefix in kinds.items():
        others = [name for name in chosen if name != general and name.startswith(prefix)]
        if general in found and others:
            del found[general]
    if "trpo" in found and "a2c-trust-region" in found:
        del found["trpo"]
    return found


def read(request: str, known: Mapping[str, Any] | None = None) -> Reading:
    """What a request says. `known`: values by path that `double` and `three times` refer to.

    Raises:
        RequestError: it is too long.
    """
    return Reader(request, known).read()
