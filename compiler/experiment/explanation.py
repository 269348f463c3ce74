"""An experiment in words: what is compared, and how much that is."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from ppoc.compiler.difference import differences
from ppoc.compiler.experiment.estimate import estimate
from ppoc.compiler.experiment.resolved import ExperimentResolved, quoted
from ppoc.compiler.front.spec import ResolvedSpec

WIDTH = 88
MOST = 50  # settings that are listed


def explain(resolved: ExperimentResolved, *, tex: bool = False) -> str:
    """The comparison in words, with its runs and steps; in LaTeX, the objectives."""
    if tex:
        return _latex(resolved)
    spec = resolved.spec
    lines = [spec.name, ""]
    if spec.question:
        lines += [*textwrap.wrap(spec.question, WIDTH), ""]
    lines += _searched(resolved) if spec.search is not None else _compared(resolved)
    return "\n".join(lines) + "\n"


def specs_of(resolved: ExperimentResolved) -> dict[str, ResolvedSpec]:
    """Setting → the spec of its runs on the first task, the baseline first."""
    found: dict[str, ResolvedSpec] = {}
    for cell, one in resolved.examined:
        if one.resolved is not None:
            found.setdefault(cell.setting.name, one.resolved)
    baseline = resolved.spec.compare.baseline
    first = {baseline: found[baseline]} if baseline in found else {}
    return {**first, **found}


def _compared(resolved: ExperimentResolved) -> Iterator[str]:
    plan, specs = resolved.plan, specs_of(resolved)
    (first, baseline), *others = specs.items()
    yield "compared" if others else "made"
    yield f"    {first}{', the baseline' if others else ''}"
    for name, spec in others[: MOST - 1]:
        rows = differences(baseline, spec)
        changes = [f"{row.path}: {_plain(row.left)} → {_plain(row.right)}" for row in rows]
        yield from textwrap.wrap(
            f"{name}: {', '.join(changes[:8])}{_more(changes[8:])}",
            WIDTH,
            initial_indent="    ",
            subsequent_indent="        ",
        )
    if others[MOST - 1 :]:
        yield f"    and {len(others[MOST - 1 :])} more"
    yield from _where(resolved)
    lengths = list(plan.lengths)
    each = f"{lengths[0]:,}" if len(set(lengths)) == 1 else f"{min(lengths):,} to {max(lengths):,}"
    total = sum(lengths) * len(plan.seeds)
    runs = len(lengths) * len(plan.seeds)
    unit = "steps" if any(cell.task for cell in plan.cells) else "episodes"
    steps = f"of {each} {unit} each, {total:,} {unit} in all" if total else f"of no {unit}"
    yield f"\n{runs:,} run{'s' * (runs != 1)} {steps}"
    for sentence in estimate(plan):
        yield from textwrap.wrap(sentence, WIDTH)
    yield from _objectives(specs)


def _where(resolved: ExperimentResolved) -> Iterator[str]:
    plan = resolved.plan
    tasks = list(dict.fromkeys(cell.task for cell in plan.cells))
    yield ""
    if any(tasks):
        yield f"on {', '.join(tasks)}"
    seeds = [str(seed.value) for seed in plan.seeds]
    yield f"seeds {', '.join(seeds[:20])}{_more(seeds[20:])}"


def _searched(resolved: ExperimentResolved) -> Iterator[str]:
    search = resolved.spec.search
    assert search is not None
    yield f"searched by {search.method}, in {search.trials} trials of {search.seeds} seeds at most"
    for key, where in search.space.items():
        form, ends = next((form, ends) for form, ends in where if ends is not None)
        yield f"    {key}: {form} {json.dumps(ends)}"
    yield from _where(resolved)
    steps = max(resolved.plan.lengths, default=0)
    runs = search.trials * search.seeds + search.confirm * len(resolved.seeds)
    yield f"\nthe best {search.confirm} are run again, with {len(resolved.seeds)} fresh seeds"
    unit = "steps" if any(cell.task for cell in resolved.plan.cells) else "episodes"
    yield f"{runs:,} runs at most, of {steps:,} {unit} each, {runs * steps:,} {unit} in all"


def _objectives(specs: dict[str, ResolvedSpec]) -> Iterator[str]:
    """The parts of the settings' objectives that are not the baseline's."""
    (_, baseline), *others = specs.items()
    known = set(_parts(baseline))
    found: dict[str, list[str]] = {}
    for name, spec in others:
        for part in _parts(spec):
            if part not in known:
                found.setdefault(part, []).append(name)
    for part, names in list(found.items())[:MOST]:
        yield f"\nof {quoted(names)}, other than the baseline's\n"
        yield textwrap.indent(part, "    ")


def _parts(spec: ResolvedSpec) -> list[str]:
    """The paragraphs of a spec's objectives, without the line on which spec it is."""
    return [part.strip("\n") for part in spec.kind.explain(spec).split("\n\n")][1:]


def _latex(resolved: ExperimentResolved) -> str:
    """The objectives of all settings, each once, with whose it is."""
    found: dict[str, list[str]] = {}
    for name, spec in specs_of(resolved).items():
        found.setdefault(spec.kind.explain(spec, tex=True), []).append(name)
    return "\n".join(f"% {quoted(names)}\n{text}" for text, names in found.items())


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _more(rows: list[str]) -> str:
    return f" and {len(rows)} more" if rows else ""
