"""E302: two settings with the same values are one, run twice."""

import json
from collections.abc import Iterator

from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.experiment.settings import Setting
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.spec import ResolvedSpec


@rule("E302", phase=Phase.PLANNED)
def settings_differ(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    meant: dict[str, list[str]] = {}
    settings: dict[str, Setting] = {}
    for cell, one in plan.examined:
        if one.resolved is None or one.failed:
            return  # what is wrong may be the difference
        settings[cell.setting.name] = cell.setting
        meant.setdefault(cell.setting.name, []).append(_meaning(one.resolved))
    first: dict[tuple[str, ...], Setting] = {}
    told: set[object] = set()
    for name, setting in settings.items():
        other = first.setdefault(tuple(meant[name]), setting)
        if other is setting or plan.searches or _written(other) == _written(setting):
            continue  # values that are repeated are E311
        pair = (other.path, setting.path) if other.path != setting.path else setting.name
        if pair in told:
            continue  # two variants, at each point of the grid
        told.add(pair)
        place = other.place
        where = f", on line {place.line}" if place is not None and place != setting.place else ""
        yield Diagnostic(
            "E302",
            f"`{setting.name}` has the same values as `{other.name}`{where}",
            setting.place,
            why="runs that are the same cannot be told apart",
            help="remove one of them, or change a value that differs from the base",
        )


def _meaning(resolved: ResolvedSpec) -> str:
    values = resolved.spec.model_dump(mode="json", by_alias=True, exclude={"name", "algorithm"})
    return json.dumps(values, sort_keys=True)


def _written(setting: Setting) -> tuple[object, ...]:
    return setting.path, [layer.plain() for layer in setting.layers]
