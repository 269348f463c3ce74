"""From claims to a spec of `kind: experiment` that passes the checks, each value with its origin.

The runs' own composer makes a spec of the base and one of each variant. What only one of them says
is its change, and what the compiler refuses of one is left out of that one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ppoc.compiler.experiment.plan import SEEDS
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment.fields import ROOTS, VARIANT, of_runs, steps
from ppoc.draft.experiment.naming import noun
from ppoc.draft.experiment.parts import Parts, parts
from ppoc.draft.spec import write
from ppoc.draft.spec.drafts import Draft, NothingToDraftError, Value
from ppoc.draft.text.claims import Claim, Note, Reading, plain

PATH = "experiment.yaml"
OWN = ("name", "lock", "training.seed")  # of runs, that the experiment says
LONG = 40  # letters of a name


def compose(reading: Reading, name: str | None, kinds: Mapping[str, Drafting]) -> Draft:
    """The spec of a reading.

    Raises:
        NothingToDraftError: nothing is left of what the request claims.
    """
    notes = list(reading.notes)
    whole = parts(reading, kinds, notes)
    values: dict[str, Value] = {}
    _base(whole, values, notes)
    _vary(whole, values, notes)
    for path, claim in whole.space.items():
        values[f"search.space.{path}"] = _value(reading, claim, f"search.space.{path}")
    for path, claim in whole.other.items():
        if path != "base":
            values[path] = _value(reading, claim, path)
    runs = _variants(whole, values, notes)
    _fit_defaults(whole, values, runs)
    _defaults(whole, values, name)
    return _checked(whole, values, notes)


def _value(reading: Reading, claim: Claim, path: str) -> Value:
    how = plain(claim.how)
    if claim.assumed or how == "default":
        return Value(path, claim.value, "default", why=how or "the usual one")
    words = reading.words(claim.start, claim.end)
    return Value(path, claim.value, "request", words, how)


def _base(whole: Parts, values: dict[str, Value], notes: list[Note]) -> None:
    """The spec that runs start from: one of the zoo with changes, or one that is written out."""
    reading = whole.reading
    named = whole.other.get("base")
    if named is not None:
        values["base"] = _value(reading, named, "base")
        for path, claim in whole.base.items():
            values[f"set.{path}"] = _value(reading, claim, f"set.{path}")
        return
    first = next(iter(whole.variants.values()), {})
    draft = _of_run(whole, notes, first)
    changed = {path for changes in whole.variants.values() for path in changes}
    varied = {*whole.vary, *whole.space}
    for value in draft.values:
        assumed = whole.base.get(value.path)
        if value.path in varied or (value.path in changed and value.path not in whole.base):
            continue
        if value.path in OWN:
            continue
        if assumed is not None and assumed.assumed:
            value = _value(reading, assumed, value.path)
        values[f"base.{value.path}"] = replace(value, path=f"base.{value.path}")


def _of_run(whole: Parts, notes: list[Note], *above: Mapping[str, Claim]) -> Draft:
    """The spec of a run, by the composer of its kind."""
    reading = whole.run(*above)
    draft = whole.of.compose(reading, None)
    notes += [note for note in draft.notes if note not in notes]
    return draft


def _vary(whole: Parts, values: dict[str, Value], notes: list[Note]) -> None:
    """Values of a grid, moved to the nearest that fit where they do not."""
    first = next(iter(whole.variants.values()), {})
    for path, claim in whole.vary.items():
        kept: list[Any] = []
        for value in claim.value:
            done = _of_run(whole, notes, first, {path: replace(claim, value=value)})
            own = [v for v in done.values if v.path == path]
            kept += [v.value for v in own if v.value not in kept]
        if len(kept) > 1:
            values[f"vary.{path}"] = _value(
                whole.reading, replace(claim, value=kept), f"vary.{path}"
            )
        else:
            words = whole.reading.words(claim.start, claim.end)
            notes.append(Note("cannot", words, f"of `{path}` too few values are left to compare"))


def _variants(
    whole: Parts, values: dict[str, Value], notes: list[Note]
) -> dict[str, dict[str, Value]]:
    """Changes of each variant; returns the values of the runs that its own composer makes."""
    runs: dict[str, dict[str, Value]] = {}
    base = {
        path.removeprefix("base."): v.value
        for path, v in values.items()
        if path.startswith("base.")
    }
    for name, changes in whole.variants.items():
        root = f"variants.{name}"
        if "base" in changes or whole.other.get("base") is not None:
            own = {path: _value(whole.reading, claim, path) for path, claim in changes.items()}
        else:
            own = {}
            runs[name] = {v.path: v for v in _of_run(whole, notes, changes).values}
            for value in runs[name].values():
                claim = changes.get(value.path)
                if claim is not None and claim.assumed:
                    own[value.path] = _value(whole.reading, claim, value.path)
                elif value.origin != "default" and value.path not in (
                    *OWN,
                    *whole.vary,
                    *whole.space,
                ):
                    own[value.path] = value
        own = {p: v for p, v in own.items() if p not in base or not _same(base[p], v.value)}
        own = {p: v for p, v in own.items() if p in changes or v.origin == "adapted"}
        for path, value in own.items():
            values[f"{root}.{path}"] = replace(value, path=f"{root}.{path}")
        if not own:
            values[root] = Value(root, {}, "default", why="the base as it is")
    return runs


def _fit_defaults(
    whole: Parts, values: dict[str, Value], runs: Mapping[str, Mapping[str, Value]]
) -> None:
    """Defaults of the base that a variant cannot have, as changes of the variants that can.

    Such as a number of environments, which for the cross-entropy method are its candidates.
    """
    for name, run in runs.items():
        if _right(whole, values, name):
            continue
        for path, value in [*values.items()]:
            inner = of_runs(path) if path.startswith("base.") else None
            if (
                inner is None
                or value.origin != "default"
                or inner in ("ppoc", "training.total_steps")
            ):
                continue
            if inner in run and _same(run[inner].value, value.value):
                continue
            del values[path]
            for other, theirs in runs.items():
                if inner in theirs:
                    root = f"variants.{other}"
                    values.pop(root, None)
                    values[f"{root}.{inner}"] = replace(theirs[inner], path=f"{root}.{inner}")


def _right(whole: Parts, values: Mapping[str, Value], name: str) -> bool:
    """Whether the compiler takes the run of a variant."""
    root = f"variants.{name}."
    run = {p.removeprefix("base."): v for p, v in values.items() if p.startswith("base.")}
    run |= {p.removeprefix(root): v for p, v in values.items() if p.startswith(root)}
    run |= {p: replace(v, value=c.value[0]) for p, c in whole.vary.items()
            if (v := values.get(f"vary.{p}")) is not None}  # fmt: skip
    run["name"] = Value("name", "a", "default")
    try:
        resolve_text(write.spec("", run, [], whole.of.order()), PATH)
    except SpecError:
        return False
    return True


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _defaults(whole: Parts, values: dict[str, Value], name: str | None) -> None:
    """Add values that a reader of the spec wants to see, and the request does not say."""

    def default(path: str, value: Any, why: str) -> None:
        values.setdefault(path, Value(path, value, "default", why=why))

    default("ppoc", 1, "version of the language")
    default("kind", "experiment", "several runs, compared")
    default("name", name or _name(whole, values), "what is compared")
    default("seeds", SEEDS, "the language's")


def _name(whole: Parts, values: Mapping[str, Value]) -> str:
    """Task, algorithm and what differs: `hopper-ppo-entropy`."""
    words: list[str] = []
    base = whole.other.get("base")
    if base is not None:
        words.append(str(base.value))
    else:
        env = str(values["base.env.id"].value) if "base.env.id" in values else "rlhf"
        words.append(env.rpartition("-v")[0].rpartition("/")[2] or env)
        if "base.algorithm" in values and not any(
            "algorithm" in v for v in whole.variants.values()
        ):
            words.append(str(values["base.algorithm"].value))
    names = list(whole.variants)
    if len(names) == 2 and {n.partition("-")[0] for n in names} == {"with", "without"}:
        words.append(names[0].partition("-")[2])
    else:
        words += names[:3]
    words += [noun(path) for path in (*whole.vary, *whole.space)][:2]
    if whole.space:
        words.append("search")
    if not (names or whole.vary or whole.space):
        words.append("tasks" if "tasks" in whole.other else "seeds")
    if sum(map(len, words)) > LONG:
        words = [*words[:2], "comparison"]
    text = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-.").lower()
    return text[:64].strip("-.")


def ordered(values: Mapping[str, Value], of: Drafting, variants: Sequence[str]) -> dict[str, Value]:
    """Values in the order of the language; those of a base in that of its own."""
    inner = list(of.order())

    def rank(path: str) -> tuple[int, int]:
        root = path.partition(".")[0]
        variant = VARIANT.fullmatch(path)
        if variant is not None:
            return ROOTS.index(root), variants.index(variant["name"])
        within = of_runs(path) if root in ("base", "set") else None
        at = inner.index(within) if within in inner else len(inner)
        return ROOTS.index(root), at if within is not None else 0

    return dict(sorted(values.items(), key=lambda pair: rank(pair[0])))


def _checked(whole: Parts, values: dict[str, Value], notes: list[Note]) -> Draft:
    """The draft, without what the compiler refuses of it."""
    for _ in range(len(values)):
        values = ordered(values, whole.of, list(whole.variants))
        text = write.spec(whole.reading.request, values, notes, list(values), steps)
        try:
            resolved = resolve_text(text, PATH)
        except SpecError as error:
            first = next(d for d in error.diagnostics if d.severity == "error")
            culprit = _culprit(values, text, first.span.line if first.span is not None else None)
            if culprit is None:
                break
            words = values[culprit].words
            message = first.message + (f"; {first.help}" if first.help else "")
            notes.append(Note("cannot", words, f"left out `{culprit}`: {plain(message, 300)}"))
            del values[culprit]
            continue
        return Draft(text, list(values.values()), notes, resolved, list(resolved.warnings))
    raise NothingToDraftError(notes)


def _culprit(values: Mapping[str, Value], text: str, line: int | None) -> str | None:
    """The value on a line, or the last one that may be left out."""
    written = text.split("\n")[line - 1] if line is not None else ""
    for path, value in values.items():
        key = steps(path)[-1]
        comment = value.comment()
        said = path not in ("ppoc", "kind", "name") and comment != "" and comment in written
        if said and re.match(rf" *{re.escape(key)}:", written):
            return path
    own = [p for p in values if p.startswith(("variants.", "vary.", "search.space.", "compare."))]
    return own[-1] if own else None
