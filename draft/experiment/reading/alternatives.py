"""Claims of alternatives: what all have in common, and what each changes."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ppoc.draft.experiment import naming
from ppoc.draft.experiment.reading.groups import Group
from ppoc.draft.experiment.reading.plan import Plan
from ppoc.draft.experiment.reading.view import Span
from ppoc.draft.text.claims import LOST, Claim, Note, Reading, plain

# Values for what a request wants on, and the preset has off.
ON = {
    "losses.value.clip": (0.2, "the clip range of PPO"),
    "update.target_kl": (0.015, "the target of Spinning Up's PPO"),
    "optimizer.max_grad_norm": (0.5, "the limit of PPO's implementations"),
    "losses.entropy.beta": (0.01, "the weight in Table 5 of Schulman et al. 2017"),
}
LOGARITHMIC = (".lr", "entropy.beta", "kl.beta", "optimizer.actor.epsilon", "kl_limit", "target_kl",
               "weight_decay", "damping", "kl_target", "kl_weight")  # fmt: skip
TIMES = 100  # from one end of a range to the other, that are even in their logarithms


@dataclass
class Variant:
    """One of the things that are compared.

    Attributes:
        changes: by path, to what all share.
        shared: paths that all of them say alike.
        algorithms: that it may be called by.
    """

    name: str
    changes: dict[str, Claim]
    words: Span
    shared: set[str]
    base: Claim | None = None  # a spec of the zoo that it starts from
    plain: bool = False
    without: bool = False
    algorithms: set[str] = field(default_factory=set)
    of_numbers: bool = False  # whether its group differs in one number

    def claims(self) -> list[Claim]:
        """Its claims in the experiment."""
        root = f"variants.{self.name}"
        found = [replace(claim, path=f"{root}.{path}") for path, claim in self.changes.items()]
        if self.base is not None:
            found.insert(0, replace(self.base, path=f"{root}.base"))
        return found or [Claim(root, {}, *self.words)]


def key(claim: Claim) -> tuple[str, str]:
    """A claim without its place."""
    return claim.path, repr(claim.value)


def searched(whole: Plan, found: Reading) -> list[Claim]:
    """Ranges to search; groups of two ends that are none are taken back."""
    space: list[Claim] = []
    for group in [group for group in whole.groups if group.range]:
        number = whole.groups.index(group)
        low, high = (
            {c.path: c for c in whole.read({number: i}).claims if _is_number(c.value)}
            for i in (0, 1)
        )
        ends = {
            path: (claim, high[path])
            for path, claim in low.items()
            if path in high and claim.value != high[path].value
        }
        words = plain(whole.request[slice(*group.cover)])
        if not ends and not group.assumed:
            found.notes.append(Note("question", words, LOST))
        for path, (first, last) in ends.items():
            whole_numbers = isinstance(first.value, int) and isinstance(last.value, int)
            if whole_numbers and not whole.facts.searches:
                text = f"one of `{path}`, or a search for the best? Say `search` for that"
                found.notes.append(Note("question", words, text))
                continue
            start, end = min(first.start, group.cover[0]), max(first.end, group.cover[1])
            value = {_scale(path, first.value, last.value, whole): [first.value, last.value]}
            how = "a usual range" if group.assumed else ""
            space.append(Claim(path, value, start, end, how, group.assumed))
        if not ends or not any(
            c.end >= group.cover[1] and c.start <= group.cover[0] for c in space
        ):
            whole.groups.remove(group)
            whole.facts.left_out.append(group.cover)
    return space


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(path: str, low: float, high: float, whole: Plan) -> str:
    if isinstance(low, int) and isinstance(high, int):
        return "int"
    uniform = "uniform" in whole.request.lower() and "log" not in whole.request.lower()
    spread = low > 0 and (path.endswith(LOGARITHMIC) or high / low >= TIMES)
    return "log" if spread and not uniform else "range"


def variants(whole: Plan, found: Reading) -> list[Variant]:
    """The alternatives that a request compares; of several groups, each combination."""
    rows: list[list[Variant]] = []
    for group in [group for group in whole.groups if not group.range]:
        made = _of_group(whole, group, found)
        if made is None:
            whole.groups.remove(group)
        else:
            rows.append(made)
    apart = [row for row in rows if row[0].of_numbers]
    crossed = [row for row in rows if not row[0].of_numbers]
    if not crossed:
        return [variant for row in apart for variant in row]
    made = [_joined(chosen) for chosen in itertools.product(*crossed)]
    names = naming.distinct([variant.name for variant in made])
    made = [replace(variant, name=name) for variant, name in zip(made, names, strict=True)]
    return [*made, *(variant for row in apart for variant in row)]


def _joined(chosen: Sequence[Variant]) -> Variant:
    if len(chosen) == 1:
        return chosen[0]
    return Variant(
        "-".join(variant.name for variant in chosen)[:60],
        {path: claim for variant in chosen for path, claim in variant.changes.items()},
        chosen[0].words,
        set.union(*(variant.shared for variant in chosen)),
        next((variant.base for variant in chosen if variant.base is not None), None),
        plain=all(variant.plain for variant in chosen),
        without=all(variant.without for variant in chosen),
    )


def grid(settings: list[Variant]) -> tuple[dict[str, Claim], list[Variant]]:
    """Groups that differ in one number as values to vary, and the others."""
    vary: dict[str, Claim] = {}
    for variant in settings:
        for path, claim in variant.changes.items() if variant.of_numbers else ():
            before = vary.get(path)
            values = [*(before.value if before else []), claim.value]
            start = min(claim.start, before.start if before else claim.start)
            vary[path] = Claim(path, values, start, max(claim.end, before.end if before else 0))
    rest = [variant for variant in settings if not variant.of_numbers]
    for variant in rest:
        variant.shared -= vary.keys()
    return vary, rest


def _of_group(whole: Plan, group: Group, found: Reading) -> list[Variant] | None:
    """The variants of a group, or None where its alternatives do not differ."""
    number = whole.groups.index(group)
    named = any(alternative.name for alternative in group.alternatives) and not group.switch
    readings = [whole.read({number: i}) for i in range(len(group.alternatives))]
    if group.switch and group.otherwise is not None and _alike(readings):
        readings[1] = whole.read({number: 1}, otherwise=number)
    claims = [{key(c): c for c in reading.claims} for reading in readings]
    bases = [reading.base for reading in readings]
    if _alike(readings) and not named:
        return None
    common = set.intersection(*(set(own) for own in claims))
    if named:  # also to nothing changed
        common &= {key(claim) for claim in whole.read({number: len(readings)}).claims}
    changes = [{k[0]: c for k, c in own.items() if k not in common} for own in claims]
    if group.switch and not _completed(whole, changes):
        return None
    for reading in readings:
        found.notes += [note for note in reading.notes if note not in found.notes]
    shared = {path for path, _ in common}
    made: list[Variant] = []
    for i, alternative in enumerate(group.alternatives):
        own, base = changes[i], None
        if len(set(bases)) > 1 and bases[i] is not None:
            zoo = f"the zoo's {bases[i]}"
            said = next(claim for claim in claims[i].values() if claim.how == zoo)
            if bases[i] != bases[0]:
                base = Claim("base", bases[i], said.start, said.end)
            own = {path: claim for path, claim in own.items() if claim.how != zoo}
        first = readings[i].claim("algorithm")
        algorithm = str(first.value) if first is not None else None
        words = whole.request[slice(*alternative.words)]
        values = {path: claim.value for path, claim in own.items()}
        inside = first is not None and alternative.words[0] <= first.start < alternative.words[1]
        if alternative.name:
            name = alternative.name
        elif group.switch:
            name = naming.of_switch(values, words, on=i == 0)
        else:
            name = naming.of_changes(values, algorithm if inside else None)
        variant = Variant(name, own, alternative.words, shared, base, alternative.plain)
        variant.without = group.switch and i > 0
        variant.algorithms = {algorithm} if algorithm and inside else set()
        made.append(variant)
    paths = {tuple(variant.changes) for variant in made}
    numbers = all(_is_number(c.value) for v in made for c in v.changes.values())
    single = len(paths) == 1 and len(made[0].changes) == 1 and numbers
    for variant in made:
        variant.of_numbers = single and not group.switch and not named
    names = naming.distinct([variant.name for variant in made])
    for variant, name in zip(made, names, strict=True):
        variant.name = name
    return made


def _alike(readings: Sequence[Reading]) -> bool:
    first = {key(claim) for claim in readings[0].claims}
    return all({key(claim) for claim in reading.claims} == first for reading in readings[1:])


def _completed(whole: Plan, changes: list[dict[str, Claim]]) -> bool:
    """Give what is on a value where only what is off has one; False where there is none."""
    on, *others = changes
    below = whole.of.below(whole.read({}))
    for path in dict.fromkeys(path for other in others for path in other):
        if path in on or (all(path in other for other in others[1:]) and len(others) > 1):
            continue
        off = next(other[path] for other in others if path in other)
        if off.value not in (None, False, 0) or path == "algorithm":
            continue
        preset = below.get(path)
        if preset is not None and preset != off.value:
            on[path] = replace(off, value=preset, how="the preset's", assumed=True)
        elif off.value is False:
            on[path] = replace(off, value=True, assumed=True, how="what the other is without")
        elif path in ON:
            value, how = ON[path]
            on[path] = replace(off, value=value, how=how, assumed=True)
        else:
            return False
        for other in others:
            other.setdefault(path, on[path])
    return True
