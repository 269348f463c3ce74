"""The way back: an experiment in English that `ppoc draft` turns into the same experiment."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent.fields import zoo
from ppoc.draft.drafting import Drafting
from ppoc.draft.spec.drafts import Draft, NothingToDraftError
from ppoc.draft.spec.paths import flat
from ppoc.draft.spec.write import scalar

Drafted = Callable[[str], Draft]
METHODS = {"random": "random search", "gp": "Gaussian processes", "tpe": "TPE"}
PRUNERS = {
    "median": "median pruning",
    "hyperband": "hyperband pruning",
    "wilcoxon": "wilcoxon pruning",
}
SECTIONS = ("question", "tasks", "seeds", "compare", "budget", "engine", "jobs", "search")


def describe(
    resolved: ExperimentResolved, kinds: Mapping[str, Drafting], drafted: Drafted
) -> tuple[str, list[str]]:
    """An experiment in English, and the paths of values that this English has no words for."""
    spec = resolved.spec
    of = kinds[_kind(resolved)]
    unsaid: list[str] = []
    lines = [_base(resolved, of, unsaid)]
    lines += [*_tasks(spec.tasks), *_seeds(spec.seeds)]
    lines += _variants(spec.variants, of, unsaid)
    start = f"{lines[0]}. 2 seeds."
    lines += [_varied(path, values, of, start, drafted) for path, values in spec.vary.items()]
    if spec.search is not None:
        lines += _search(spec.search, of, start, drafted)
    lines += _whole(spec)
    if spec.question:
        lines.insert(0, f'The question is "{spec.question}"')
    text = ". ".join(filter(None, lines)) + "."
    return text, [*dict.fromkeys([*unsaid, *_differences(resolved, text, drafted)])]


def _kind(resolved: ExperimentResolved) -> str:
    found = [
        examined.resolved for _, examined in resolved.examined if examined.resolved is not None
    ]
    return found[0].kind.name if found else "control"


def _base(resolved: ExperimentResolved, of: Drafting, unsaid: list[str]) -> str:
    """The sentence about what all runs start from: a spec of the zoo by its name, or in words."""
    spec = resolved.spec
    changes = flat(spec.set) if spec.set else {}
    name = str(spec.base).removesuffix(".yaml").removeprefix("specs/")
    if name in zoo():
        words = [f"Start from {name}"]
        for path, value in changes.items():
            said = of.say(path, value)
            words += [said] if said else []
            unsaid += [] if said else [f"set.{path}"]
        return "; ".join(words)
    cell = resolved.cells[0]
    inner = {".".join(path): node.plain() for path, node in cell.base.document.leaves()}
    inner |= changes
    inner.setdefault("ppoc", 1)
    inner["name"] = "base"
    first = next(iter(spec.variants.values()), {})
    if "base" in first:
        return ""
    try:
        text, missing = of.describe(resolve_text(_text(inner), "base.yaml"))
    except SpecError:  # right only with what a variant changes
        words = [said for path, value in inner.items() if (said := of.say(path, value))]
        return "; ".join(words)
    unsaid += [f"base.{path}" for path in missing if path not in ("training.seed",)]
    return text.rstrip(".")


def _text(values: Mapping[str, Any]) -> str:
    """A spec with some values, by dotted path."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *above, key = path.split(".")
        inside = nested
        for step in above:
            inside = inside.setdefault(step, {})
        inside[key] = value
    return "\n".join(f"{key}: {scalar(value)}" for key, value in nested.items()) + "\n"


def _tasks(tasks: Sequence[str]) -> Iterator[str]:
    if len(tasks) > 1:
        yield f"The tasks are {_row(tasks)}"
    elif tasks:
        yield f"The task is {tasks[0]}"


def _seeds(seeds: int | list[int]) -> Iterator[str]:
    yield f"{seeds} seeds" if isinstance(seeds, int) else f"The seeds {_row(seeds)}"


def _row(values: Sequence[Any]) -> str:
    words = [f"{value:,}" if _is_large(value) else str(value) for value in values]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _is_large(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 10_000


def _variants(
    variants: Mapping[str, Mapping[str, Any]], of: Drafting, unsaid: list[str]
) -> Iterator[str]:
    for name, changes in variants.items():
        words: list[str] = []
        for path, value in flat(dict(changes)).items() if changes else ():
            said = f"start from {value}" if path == "base" else of.say(path, value)
            words += [said] if said else []
            unsaid += [] if said else [f"variants.{name}.{path}"]
        yield f"Variant {name}: {'; '.join(words) or 'nothing is changed'}"


def _varied(path: str, values: Sequence[Any], of: Drafting, start: str, drafted: Drafted) -> str:
    """A grid over one key, in words where these are read again, or by its key."""
    words = of.say(path, values[0])
    exact = json.dumps(values[0]) if not isinstance(values[0], float) else repr(values[0])
    if words is not None and exact in words:
        sentence = f"Compare {words.replace(exact, _row(list(map(_digits, values))), 1)}"
        if _value(f"{start} {sentence}.", f"vary.{path}", drafted) == list(values):
            return sentence
    return f"Vary {path} over {scalar(list(values))}"


def _digits(value: Any) -> str:
    return repr(value)


def _value(text: str, path: str, drafted: Drafted) -> Any:
    """The value that the draft of a text has at a path."""
    try:
        return next((v.value for v in drafted(text).values if v.path == path), None)
    except NothingToDraftError:
        return None


def _search(search: Any, of: Drafting, start: str, drafted: Drafted) -> Iterator[str]:
    for path, space in search.space.items():
        ends = space.model_dump(exclude_none=True)
        kind, values = next(iter(ends.items()))
        words = of.say(path, values[0]) if kind != "choice" else None
        exact = repr(values[0])
        if words is not None and exact in words:
            between = f"between {values[0]!r} and {values[1]!r}"
            sentence = f"Search {words.replace(exact, between, 1)}"
            if _value(f"{start} {sentence}.", f"search.space.{path}", drafted) == ends:
                yield sentence
                continue
        yield f"Search {path} over {scalar(ends)}"
    yield f"{search.trials} trials with {search.seeds} seeds per trial"
    yield f"{METHODS[search.method]}, confirm the best {search.confirm}"
    if search.prune in PRUNERS:
        yield PRUNERS[search.prune].capitalize()
    if search.cost:
        yield "Training time as a second objective"


def _whole(spec: Any) -> Iterator[str]:
    """Sentences about how runs are compared, and how many there may be."""
    compare, budget = spec.compare, spec.budget
    if compare.baseline is not None:
        yield f'The baseline is "{compare.baseline}"'
    if compare.confidence != type(compare).model_fields["confidence"].default:
        yield f"{float(f'{100 * compare.confidence:.10g}'):g}% confidence"
    if compare.threshold is not None:
        yield f"A threshold of {compare.threshold:g}"
    if compare.margin is not None:
        yield f"A margin of {compare.margin!r}"
    if compare.scores:
        scales = (
            f"{task} from {low!r} to {high!r}" for task, (low, high) in compare.scores.items()
        )
        yield f"Scores of {', '.join(scales)}"
    if budget.runs is not None:
        yield f"At most {budget.runs} runs"
    if budget.hours is not None:
        yield f"At most {budget.hours:g} hours"
    if budget.steps is not None:
        yield f"At most {budget.steps:,} steps in total"
    if spec.engine.name != "local":
        yield f"On {spec.engine.name}"
    if spec.jobs != "auto":
        yield f"{spec.jobs} jobs at a time"


def _differences(resolved: ExperimentResolved, text: str, drafted: Drafted) -> Iterator[str]:
    """Paths of what the draft of a text has otherwise."""
    try:
        again = drafted(text).resolved
    except NothingToDraftError:
        yield "base"
        return
    assert isinstance(again, ExperimentResolved)
    for section in SECTIONS:
        ours, theirs = (_section(spec.spec, section) for spec in (resolved, again))
        if ours != theirs:
            inner = [p for p in flat(ours) if flat(theirs).get(p, ...) != flat(ours)[p]] \
                if isinstance(ours, dict) and isinstance(theirs, dict) else []  # fmt: skip
            yield from [f"{section}.{path}" for path in inner] or [section]
    runs, others = _runs(resolved), _runs(again)
    for name, values in runs.items():
        theirs = others.get(name)
        if theirs is None:
            yield f"variants.{name[0]}" if resolved.spec.variants else "base"
            continue
        for path, value in values.items():
            if theirs.get(path, ...) != value:
                yield f"variants.{name[0]}.{path}" if resolved.spec.variants else f"base.{path}"


def _section(spec: Any, name: str) -> Any:
    value = getattr(spec, name)
    return (
        value.model_dump(mode="json", exclude_none=True) if hasattr(value, "model_dump") else value
    )


def _runs(resolved: ExperimentResolved) -> dict[tuple[str, str], dict[str, Any]]:
    """The values of each setting on each task, without names and seeds."""
    names = len({cell.setting.name for cell in resolved.cells}) > 1
    found = {}
    for cell, examined in resolved.examined:
        if examined.resolved is None:
            continue
        values = flat(examined.resolved.spec.model_dump(mode="json", by_alias=True))
        kept = {p: v for p, v in values.items() if p not in ("name", "training.seed", "lock")}
        found[cell.setting.name if names else "", cell.task] = kept
    return found
