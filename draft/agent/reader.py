"""The offline engine: a request read by grammar and glossary into claims and notes.

Numbers are attached to quantities (attach.py, quantities.py); networks, algorithms, relations and
what is said without numbers have files of their own. What cannot be expressed becomes a note.
"""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.agent import environments, images
from ppoc.draft.agent.fields import STAND_IN
from ppoc.draft.agent.reading import amounts, leftovers, phrases, quantities
from ppoc.draft.agent.reading.networks import read_layers
from ppoc.draft.agent.reading.points import read_points
from ppoc.draft.agent.reading.relations import read_relations
from ppoc.draft.agent.reading.settled import settled
from ppoc.draft.agent.request import Request
from ppoc.draft.text.attach import attach
from ppoc.draft.text.claims import Reading
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item


class Reader(Request):
    """Reads one request."""

    def read(self) -> Reading:
        """Everything that the request says."""
        phrases.read_base(self)
        self._algorithm()
        self._environment()
        leftovers.read_citations(self)
        images.read_resize(self)
        read_points(self)
        read_layers(self)
        read_relations(self)
        self._quantities()
        leftovers.read_leftovers(self)
        phrases.read_choices(self)
        amounts.read_implied(self)
        phrases.read_switches(self)
        phrases.read_normalization(self)
        phrases.read_schedules(self)
        amounts.read_amounts(self)
        amounts.read_sizes(self)
        phrases.read_unsupported(self)
        amounts.read_unused(self)
        self.reading.claims = images.settled(self, settled(self))
        return self.reading

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
        """The names after the last `actually` or `no wait` between two of them, or else all."""
        cues = [i for i, item in enumerate(self.items) if item.cue("correction")]
        for cue in reversed(cues):
            later = [pair for pair in named if pair[0] > cue]
            if later and len(later) < len(named):
                return later
        return named

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
        self.attached = attach(self.items, self.free, glossary().data["quantities"])
        leftovers.replaced_numbers(self)
        for term, numbers in sorted(self.attached.items()):
            self.free -= set(numbers)
            quantities.read_quantity(self, term, numbers)


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
    """Read a request. `known`: values by path that `double` and `three times` refer to.

    Raises:
        RequestError: it is too long.
    """
    return Reader(request, known).read()
