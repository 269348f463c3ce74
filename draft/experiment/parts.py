"""The claims of an experiment by what they are of: base, variants, grid, search, or the whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment.fields import VARIANT, of_runs, takes
from ppoc.draft.text.claims import Claim, Note, Reading, plain


@dataclass
class Parts:
    """The claims of an experiment, apart."""

    of: Drafting
    reading: Reading
    base: dict[str, Claim] = field(default_factory=dict)  # by path in a run's spec, `set` too
    variants: dict[str, dict[str, Claim]] = field(default_factory=dict)
    vary: dict[str, Claim] = field(default_factory=dict)
    space: dict[str, Claim] = field(default_factory=dict)
    other: dict[str, Claim] = field(default_factory=dict)

    def run(self, *above: Mapping[str, Claim]) -> Reading:
        """The reading of a run: the base, the first values of grid and search, and changes."""
        first = {p: replace(c, value=c.value[0]) for p, c in self.vary.items()}
        first |= {p: replace(c, value=_first(c.value)) for p, c in self.space.items()}
        claims = {**self.base, **first}
        for layer in above:
            claims |= {path: claim for path, claim in layer.items() if path != "base"}
        found = Reading(self.reading.request, kind=self.reading.runs, base=self.reading.base)
        found.claims = [replace(claim, path=path) for path, claim in claims.items()]
        return found


def _first(space: Mapping[str, Any]) -> Any:
    return next(iter(space.values()))[0]


def parts(reading: Reading, kinds: Mapping[str, Drafting], notes: list[Note]) -> Parts:
    """The claims of a reading, apart; those that no field takes are noted."""
    found = Parts(kinds[reading.runs], reading)
    for claim in reading.claims:
        problem = takes(claim.path, claim.value, found.of)
        if problem is not None:
            words = reading.words(claim.start, claim.end)
            text = f"`{claim.path}` cannot be {plain(repr(claim.value))}: {problem}"
            notes.append(Note("cannot", words, text))
            continue
        variant, inner = VARIANT.fullmatch(claim.path), of_runs(claim.path)
        if variant is not None:
            changes = found.variants.setdefault(variant["name"], {})
            if variant["key"]:
                changes[variant["key"]] = claim
        elif inner is not None and claim.path.startswith("vary."):
            found.vary[inner] = claim
        elif inner is not None and claim.path.startswith("search."):
            found.space[inner] = claim
        elif inner is not None:
            found.base[inner] = claim
        else:
            found.other[claim.path] = claim
    return found
