"""W301: who trains longer, or is measured otherwise, may win for that alone."""

from collections.abc import Iterator

from ppoc.compiler.difference import Difference, differences
from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved, quoted
from ppoc.compiler.experiment.settings import Setting
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.spec import ResolvedSpec


@rule("W301", "compare.baseline", phase=Phase.PLANNED)
def the_comparison_is_fair(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    specs: dict[str, tuple[Setting, ResolvedSpec]] = {}
    for cell, one in plan.examined:
        if one.resolved is None or one.failed or plan.searches:
            return
        specs.setdefault(cell.setting.name, (cell.setting, one.resolved))
    grid = plan.root.value.get("vary")
    crossed = tuple(grid.value) if grid is not None and grid.value else ()
    unfair: dict[str, list[tuple[Setting, Difference, ResolvedSpec]]] = {}
    first = next(iter(specs.values()), None)
    baseline = specs.get(str(resolved.spec.compare.baseline), first)
    for setting, spec in specs.values():
        if baseline is None or spec.kind.name != baseline[1].kind.name:
            return
        found = differences(baseline[1], spec)
        alike = [row for row in found if row.path in spec.kind.alike and row.path not in crossed]
        others = [row for row in found if row not in alike and row.path not in crossed]
        for row in alike if others else ():
            unfair.setdefault(row.path, []).append((setting, row, spec))
    for path, rows in unfair.items():
        setting, row, spec = rows[0]
        names = quoted([one.name for one, _, _ in rows])
        here = spec.origin(tuple(path.split("."))).span
        own = here is not None and setting.place is not None and here.source == setting.place.source
        yield Diagnostic(
            "W301",
            f"`{path}` of {names} is {row.right}, and {row.left} of the baseline",
            here if own else setting.place,
            why="they differ in other values too, so a difference of results has two causes",
            help=f"give all of them the same: `set: {{{path}: {row.left}}}`",
        )
