"""Changes of an experiment: variants, seeds and tasks added or dropped, values replaced."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ppoc.compiler.experiment.plan import SEEDS
from ppoc.draft.agent.fields import zoo, zoo_values
from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment import naming
from ppoc.draft.experiment.reading.facts import Facts, read_facts
from ppoc.draft.experiment.reading.row import Row, environment
from ppoc.draft.experiment.reading.view import Span, view
from ppoc.draft.text.claims import GONE, Claim, Note, Reading, plain

VARIANT = re.compile(
    r"\b(?:add|include|try|plus|and|also)\s+(?:an?\s+|another\s+|one\s+more\s+)?"
    r"(?:new\s+|third\s+|further\s+)?"
    r"(?:variant|setting|arm|condition)\s*(?:(?:called|named)\s+(?P<name>[A-Za-z0-9][\w.+-]*))?"
    r"(?:\s+(?:with|using|that uses|that has|of|for|where|in which))?\s*:?\s*(?P<text>[^;\n]+)",
    re.IGNORECASE,
)


@dataclass
class Change:
    """A request under reading, and the experiment that it changes."""

    request: str
    known: Mapping[str, Any]
    of: Drafting
    reading: Reading
    row: Row
    facts: Facts

    @property
    def names(self) -> list[str]:
        """The variants that are there."""
        found = dict.fromkeys(self._names())
        return list(found)

    def _names(self) -> Iterator[str]:
        from ppoc.draft.experiment.fields import VARIANT as PATH

        for path in self.known:
            match = PATH.fullmatch(path)
            if match is not None:
                yield match["name"]

    def take(self, span: Span) -> None:
        """Count words as read."""
        own = [i for i, t in enumerate(self.row.tokens) if span[0] <= t.start < span[1]]
        if own:
            self.row.take(own[0], own[-1] + 1)
        self.facts.left_out.append(span)

    def claim(self, path: str, value: Any, span: Span) -> None:
        """Note that some words say a value."""
        self.reading.claims.append(Claim(path, value, *span))


def changed(request: str, known: Mapping[str, Any], kinds: Mapping[str, Drafting]) -> Reading:
    """Everything that a request changes in an experiment with some values."""
    kind = str(known.get("base.kind", "control"))
    of = kinds[kind if kind in kinds else "control"]
    reading = Reading(request, kind="experiment", runs=kind)
    row = Row(request)
    change = Change(request, known, of, reading, row, Facts())
    run = values_of_run(known, of)
    added = [*_added(change)]
    _dropped(change)
    _seeds(change)
    facts = read_facts(row)
    facts.left_out += change.facts.left_out
    change.facts = facts
    _tasks(change, run)
    for claim in facts.claims:
        if claim.path.startswith("search.") and known.get("search", ...) is None:
            text = "this experiment searches for nothing"
            reading.notes.append(Note("cannot", plain(request[claim.start : claim.end]), text))
        elif not any(other.path == claim.path for other in reading.claims):
            reading.claims.append(claim)
    _baseline(change)
    for name, span in added:
        _variant(change, run, name, span)
    _rest(change, run)
    reading.notes = [*facts.notes, *reading.notes]
    return reading


def values_of_run(known: Mapping[str, Any], of: Drafting) -> dict[str, Any]:
    """The values that runs have but for what differs, as far as the experiment says them."""
    base = str(known.get("base", ""))
    name = base.removesuffix(".yaml").removeprefix("specs/")
    own = dict(zoo_values(name)) if name in zoo() else {}
    for root in ("base.", "set."):
        own |= {p.removeprefix(root): v for p, v in known.items() if p.startswith(root)}
    named = Reading(
        "", claims=[Claim("algorithm", own["algorithm"], 0, 0)] if "algorithm" in own else []
    )
    return {**of.below(named), **own}


def _added(change: Change) -> Iterator[tuple[str, Span]]:
    """`add a variant with GAE lambda 0.9`: a name, if it is given one, and the words for it."""
    for match in VARIANT.finditer(change.request):
        text = match["text"]
        stop = re.search(r"\.(?=\s|$)", text)
        end = match.start("text") + (stop.start() if stop else len(text.rstrip()))
        change.take((match.start(), end))
        yield match["name"] or "", (match.start("text"), end)
    for found in change.row.find(
        r"(?:add|also compare|also try|include) (?P<what>@alg)(?: too| as well)?"
    ):
        what = change.row.part(found, "what")
        if what is not None:
            change.take(found.span)
            yield "", what.span


def _variant(change: Change, run: Mapping[str, Any], name: str, span: Span) -> None:
    text = change.request[slice(*span)]
    reading = change.of.read(text, dict(run))
    change.reading.notes += reading.notes
    at = span[0]
    claims = [
        Claim(c.path, c.value, at + c.start, at + c.end, c.how, c.assumed)
        for c in reading.claims
        if not (reading.base and c.how == f"the zoo's {reading.base}")
    ]
    if reading.base:
        claims.insert(0, Claim("base", reading.base, *span))
    if not claims:
        words = plain(text)
        change.reading.notes.append(Note("question", words, "a variant that changes what?"))
        return
    values = {claim.path: claim.value for claim in claims if claim.path != "base"}
    name = name or naming.of_changes(values, None if values else naming.slug(text))
    name = naming.distinct([*change.names, name])[-1]
    if not change.names:
        plain_one = Claim("variants.plain", {}, *span, how="the base as it is", assumed=True)
        change.reading.claims.append(plain_one)
    for claim in claims:
        path = f"variants.{name}.{claim.path}"
        change.reading.claims.append(
            Claim(path, claim.value, claim.start, claim.end, claim.how, claim.assumed)
        )


def _dropped(change: Change) -> None:
    """`drop the trpo variant`, `remove Walker2d`, `leave out seed 3`."""
    seeds = _current_seeds(change.known)
    for found in change.row.find("{DROP}"):
        words = change.request[found.start : found.end].lower()
        gone = [
            n
            for n in change.names
            if re.search(rf"(?<![\w-]){re.escape(n.lower())}(?![\w-])", words)
        ]
        named = {name for t in found.tokens for name in t.item.names("algorithm")}
        gone = gone or [name for name in change.names if name in named]
        ids = [environment(t, set()).env_id for t in found.tokens if t.text == "@env"]
        tasks = list(change.known.get("tasks") or [])
        numbers = [int(n.value) for n in found.numbers] if "seed" in found.text else []
        if gone:
            for name in gone:
                change.claim(f"variants.{name}", GONE, found.span)
                if change.known.get("compare.baseline") == name:
                    change.claim("compare.baseline", GONE, found.span)
                    text = "it was the baseline; now that is the first variant"
                    change.reading.notes.append(Note("adapted", name, text))
        elif ids and set(ids) & set(tasks):
            change.claim("tasks", [task for task in tasks if task not in ids], found.span)
        elif numbers and set(numbers) & set(seeds):
            change.claim("seeds", [seed for seed in seeds if seed not in numbers], found.span)
        else:
            continue
        change.take(found.span)


def _current_seeds(known: Mapping[str, Any]) -> list[int]:
    seeds = known.get("seeds", SEEDS)
    return list(range(1, seeds + 1)) if isinstance(seeds, int) else list(seeds)


def _seeds(change: Change) -> None:
    """`add seed 7`, `add seeds 7 and 9`, `two more seeds`."""
    seeds = _current_seeds(change.known)
    adds = r"(?:add|include|also|plus|with)(?: also)?(?: the)? seeds? #(?:(?: (?:,|and|&))+ #)*"
    for found in change.row.find(adds):
        new = [int(number.value) for number in found.numbers if number.value.is_integer()]
        change.claim("seeds", list(dict.fromkeys([*seeds, *new])), found.span)
        change.take(found.span)
    more = r"(?:add |use |with |run )?(?:# (?:more|additional|extra|further) seeds|# seeds more)"
    for found in change.row.find(more):
        count = int(found.numbers[0].value)
        if isinstance(change.known.get("seeds"), int):
            change.claim("seeds", len(seeds) + count, found.span)
        else:
            fresh = [n for n in range(1, len(seeds) + count + max(seeds) + 1) if n not in seeds]
            change.claim("seeds", [*seeds, *fresh[:count]], found.span)
        change.take(found.span)


def _tasks(change: Change, run: Mapping[str, Any]) -> None:
    """`also on Walker2d`: one more task; `on Hopper only`: instead of those that are there."""
    named = [token for token in change.row.tokens if token.text == "@env"]
    if not named:
        return
    words = {token.text for token in change.row.tokens}
    found = [(token, environment(token, words)) for token in named]
    for token, match in found:
        if match.env_id is None:
            words_of = plain(change.request[token.start : token.end])
            change.reading.notes.append(Note("cannot", words_of, match.how))
    ids = [match.env_id for _, match in found if match.env_id is not None]
    current = list(change.known.get("tasks") or []) or [str(run.get("env.id", ""))]
    more = bool(change.row.find("{ADDS}")) and "only" not in words
    tasks = list(dict.fromkeys([*current, *ids])) if more else list(dict.fromkeys(ids))
    span = (named[0].start, named[-1].end)
    if ids:
        change.claim("tasks", [task for task in tasks if task], span)
    for token in named:
        change.take((token.start, token.end))


def _baseline(change: Change) -> None:
    said = change.facts.baseline
    for name in change.names:
        pattern = rf"\bbaseline(?:\s+is|\s+to|\s*[:=])?\s+[\"“]?{re.escape(name)}(?![\w-])[\"”]?"
        match = re.search(pattern, change.request, re.IGNORECASE)
        if match is not None:
            change.claim("compare.baseline", name, match.span())
            change.take(match.span())
            return
    if said is None:
        return
    words = naming.slug(change.request[said.start : said.end])
    named = {name for t in said.tokens for name in t.item.names("algorithm")}
    fits = [name for name in change.names if name == words or name in named]
    if len(fits) == 1:
        change.claim("compare.baseline", fits[0], said.span)
    else:
        text = f"no variant is called so; they are {', '.join(change.names) or 'none'}"
        change.reading.notes.append(Note("question", change.request[slice(*said.span)], text))


def _rest(change: Change, run: Mapping[str, Any]) -> None:
    """Changes of all runs, or of a variant by name, that the runs' own reader finds in the rest."""
    root = ""
    for name in sorted(change.names, key=len, reverse=True):
        pattern = (
            rf"(?<![\w-])(?:in|for|of)?\s*(?:the\s+)?{re.escape(name)}\s+(?:variant|setting|arm)\b"
        )
        match = re.search(pattern, change.request, re.IGNORECASE)
        if match is not None and not any(s <= match.start() < e for s, e in change.facts.left_out):
            root = f"variants.{name}."
            change.facts.left_out.append(match.span())
            break
    seen = view(change.request, change.facts.left_out)
    reading = change.of.read(seen.text, dict(run))
    for claim in map(seen.claim, reading.several):
        change.reading.claims.append(
            Claim(f"vary.{claim.path}", claim.value, claim.start, claim.end, claim.how)
        )
    for claim in map(seen.claim, reading.claims):
        if f"vary.{claim.path}" in change.known and not root:
            text = f"`{claim.path}` has several values in `vary`; which of them?"
            words = plain(change.request[claim.start : claim.end])
            change.reading.notes.append(Note("question", words, text))
            continue
        path = f"{root}{claim.path}" if root else _place(change.known, claim.path)
        change.reading.claims.append(
            Claim(path, claim.value, claim.start, claim.end, claim.how, claim.assumed)
        )
    change.reading.notes += [note for note in reading.notes if note.kind != "run"]


def _place(known: Mapping[str, Any], path: str) -> str:
    """The place of a value of all runs: where it stands, or where others of them do."""
    if f"set.{path}" in known or not any(key.startswith("base.") for key in known):
        return f"set.{path}"
    return f"base.{path}"
