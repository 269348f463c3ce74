"""E314: returns of different environments cannot be compared."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule("E314", "tasks", phase=Phase.PLANNED)
def settings_share_their_tasks(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    for cell in plan.cells:
        first = plan.cells[0]
        mine, theirs = cell.base.kind.name, first.base.kind.name
        names = f"`{cell.setting.name}`", f"`{first.setting.name}`"
        if mine != theirs:
            what = f"{names[0]} is of `kind: {mine}`, {names[1]} of `kind: {theirs}`"
            help = "compare runs of one kind"
        elif cell.task != first.task and not resolved.spec.tasks:
            what = f"{names[0]} runs in {cell.task}, {names[1]} in {first.task}"
            help = f"give all of them the same: `tasks: [{first.task}]`"
        else:
            continue
        why = "results of different tasks cannot be compared"
        yield Diagnostic("E314", what, cell.setting.place, why=why, help=help)
        return
