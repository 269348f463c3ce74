"""Requests for experiments, and what the reader of their runs makes of each alternative.

Every alternative is handed, with the rest that all share, to the reader of an agent or of learning
from human feedback; what its claims have in common is the base, and the others are its changes.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment import naming
from ppoc.draft.experiment.fields import of_runs
from ppoc.draft.experiment.reading.alternatives import Variant, grid, searched, variants
from ppoc.draft.experiment.reading.plan import Plan, plan
from ppoc.draft.experiment.reading.question import question
from ppoc.draft.text.claims import MAX_CHARACTERS, Claim, Note, Reading

KIND = "experiment"
OF_ONE_RUN = ("one spec is one ",)  # how notes of other kinds begin that are no news here


class ExperimentReader:
    """Reads requests for experiments over runs of other kinds.

    Args:
        kinds: those kinds; the last is that of a request which is of no other.
    """

    def __init__(self, kinds: Mapping[str, Drafting]) -> None:
        self.kinds = kinds
        self._made = lru_cache(maxsize=8)(self._new)

    def is_one(self, request: str, known: Mapping[str, Any] | None) -> bool:
        """Whether a request asks for several runs, or edits an experiment."""
        if known is not None:
            return known.get("kind") == KIND
        return len(request) <= MAX_CHARACTERS and self._made(request) is not None

    def read(self, request: str, known: Mapping[str, Any] | None = None) -> Reading:
        """Everything that a request says of an experiment; nothing, if it asks for one run."""
        if known is not None:
            from ppoc.draft.experiment.changes import changed

            return changed(request, known, self.kinds)
        reading = self._made(request)
        return reading if reading is not None else Reading(request, kind=KIND)

    def _new(self, request: str) -> Reading | None:
        kind, of = next((n, k) for n, k in self.kinds.items() if k.is_asked(request, None))
        whole = plan(request, of, kind)
        reference = whole.read({})
        found = Reading(request, kind=KIND, runs=kind)
        found.notes = [*whole.facts.notes]
        space = searched(whole, found)
        settings = variants(whole, found)
        if whole.groups:
            reference = whole.read({})
        vary, settings = grid(settings)
        for claim in reference.several:
            if claim.path not in {c.path for c in space}:
                vary.setdefault(claim.path, claim)
        facts = {claim.path: claim for claim in whole.facts.claims}
        searches = bool(space) or any(path.startswith("search.space.") for path in facts)
        if not (searches or settings or vary or _several(facts)):
            return None
        _add_runs(whole, reference, found, vary, space, settings)
        for path in [path for path in facts if path.startswith("vary.")]:
            vary[path.removeprefix("vary.")] = facts.pop(path)
        for path, claim in sorted(vary.items(), key=lambda pair: pair[1].start):
            found.claims.append(_at(claim, f"vary.{path}"))
        for claim in sorted(space, key=lambda claim: claim.start):
            found.claims.append(_at(claim, f"search.space.{claim.path}"))
        for variant in settings:
            found.claims += variant.claims()
        for path, claim in facts.items():
            if not path.startswith("search.") or searches:
                found.claims.append(claim)
        _add_baseline(whole, found, settings)
        if "question" not in facts:
            found.claims += question(whole, found)
        found.notes = _once(found, reference)
        return found


def _several(facts: Mapping[str, Claim]) -> bool:
    """Whether seeds or tasks alone make several runs."""
    seeds = facts["seeds"].value if "seeds" in facts else 1
    explicit = any(path.startswith(("vary.", "search.space.")) for path in facts)
    return explicit or "tasks" in facts or (len(seeds) if isinstance(seeds, list) else seeds) > 1


def _at(claim: Claim, path: str) -> Claim:
    return Claim(path, claim.value, claim.start, claim.end, claim.how, claim.assumed)


def _add_runs(
    whole: Plan,
    reference: Reading,
    found: Reading,
    vary: Mapping[str, Claim],
    space: list[Claim],
    settings: list[Variant],
) -> None:
    """Claims that all runs share, as the base; those of a spec of the zoo are that spec."""
    other = {path for variant in settings for path in variant.changes}
    other |= {*vary, *(claim.path for claim in space), "training.seed"}
    facts = {claim.path for claim in whole.facts.claims}
    if reference.base is not None:
        found.base = reference.base
        zoo = f"the zoo's {reference.base}"
        named = next(claim for claim in reference.claims if claim.how == zoo)
        found.claims.append(Claim("base", reference.base, named.start, named.end))
        own = [claim for claim in reference.claims if claim.how != zoo]
    else:
        own = reference.claims
    root = "set" if found.base is not None else "base"
    shared = _shared(whole, settings)
    for claim in own:
        if claim.path in other and not (claim.path == "algorithm" and found.base is None):
            continue
        if claim.path == "env.id" and "tasks" in facts and root == "set":
            continue
        if claim.path in shared or claim.path == "algorithm" or not settings:
            found.claims.append(_at(claim, f"{root}.{claim.path}"))


def _shared(whole: Plan, settings: list[Variant]) -> set[str]:
    return set.union(*(variant.shared for variant in settings)) if settings else set()


def _add_baseline(whole: Plan, found: Reading, settings: list[Variant]) -> None:
    """The setting that others are compared with: said, plain, or the one without."""
    path = "compare.baseline"
    said = whole.facts.baseline
    plain = [variant for variant in settings if variant.plain]
    without = [variant for variant in settings if variant.without]
    if said is not None:
        names = {item for t in said.tokens for item in t.item.names("algorithm")}
        words = naming.slug(whole.request[said.start : said.end])
        fits = [v for v in settings if names & v.algorithms or v.name in (words, *names)]
        if len(fits) == 1:
            found.claims.append(Claim(path, fits[0].name, said.start, said.end))
        else:
            text = "the baseline is none of the variants by its name, or several"
            found.notes.append(Note("question", whole.request[said.start : said.end], text))
    elif len(plain) == 1:
        start, end = plain[0].words
        found.claims.append(Claim(path, plain[0].name, start, end))
    elif len(without) == 1 and len(settings) == 2:
        start, end = without[0].words
        how = "the other variant is compared with it"
        found.claims.append(Claim(path, without[0].name, start, end, how, assumed=True))


def _once(found: Reading, reference: Reading) -> list[Note]:
    """Notes without commands for several runs, each once."""
    given = [path for claim in found.claims if (path := of_runs(claim.path)) is not None]
    varied = [
        claim.path.partition(".")[2] for claim in found.claims if claim.path.startswith("vary.")
    ]
    notes = [
        note
        for note in (*reference.notes, *found.notes)
        if note.kind != "run"
        and not note.text.startswith(OF_ONE_RUN)
        and not any(f"`{path}` is said twice" in note.text for path in varied)
        and not any(f"no value is given, so `{path}` stays" in note.text for path in given)
    ]
    return list(dict.fromkeys(notes))
