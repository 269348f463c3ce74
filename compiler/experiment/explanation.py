"""An experiment in words: what is compared, and how much that is."""

import textwrap
from collections.abc import Iterator

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.experiment.settings import Setting

WIDTH = 88


def explain(resolved: ExperimentResolved) -> str:
    """What is compared, in how many runs, of how many steps, as Markdown."""
    spec = resolved.spec
    lines = [f"# {spec.name}", ""]
    if spec.question:
        lines += [*textwrap.wrap(spec.question, WIDTH), ""]
    lines += _searched(resolved) if spec.search is not None else _compared(resolved)
    return "\n".join(lines) + "\n"


def _compared(resolved: ExperimentResolved) -> Iterator[str]:
    spec, members = resolved.spec, resolved.members
    baseline = spec.compare.baseline or resolved.settings[0].name
    yield "Compared:"
    yield ""
    for setting in resolved.settings:
        mark = " (baseline)" if setting.name == baseline and len(resolved.settings) > 1 else ""
        yield f"- `{setting.name}`{mark}: {_changes(resolved, setting)}"
    tasks = list(dict.fromkeys(member.task for member in members))
    if any(tasks):
        yield f"\nOn: {', '.join(tasks)}"
    seeds = ", ".join(str(seed.value) for seed in resolved.seeds)
    yield f"\nSeeds: {seeds}"
    lengths = [member.steps for member in members]
    each = f"{lengths[0]:,}" if len(set(lengths)) == 1 else f"{min(lengths):,} to {max(lengths):,}"
    yield f"\nRuns: {len(members)} of {each} steps each, {sum(lengths):,} steps in all."


def _searched(resolved: ExperimentResolved) -> Iterator[str]:
    spec = resolved.spec
    search = spec.search
    assert search is not None
    yield f"Searched by {search.method}, {search.trials} trials of {search.seeds} seeds at most:"
    yield ""
    for key, where in search.space.items():
        name, ends = next((n, e) for n, e in where if e is not None)
        yield f"- `{key}`: {name} {ends}"
    fresh = len(resolved.seeds)
    yield f"\nThe best {search.confirm} are run again with {fresh} fresh seeds."


def _changes(resolved: ExperimentResolved, setting: Setting) -> str:
    """The changes of a setting to what all have in common."""
    common = 1 if resolved.spec.set else 0
    own = [
        f"`{'.'.join(path)}: {node.plain()}`"
        for document in setting.layers[common:]
        for path, node in document.leaves()
    ]
    base = setting.base.plain() if setting.base is not None else None
    if setting.base is not resolved.root.value.get("base"):
        own.insert(0, f"base `{base}`" if isinstance(base, str) else "a base of its own")
    return ", ".join(own) or "as the base has it"
