"""E305: seeds and tasks of runs are the experiment's, not changes to their specs."""

from collections.abc import Iterator

from ppoc.compiler.experiment.members import SEED
from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

GIVEN = {
    SEED: "write `seeds: 5`, or a list such as `seeds: [3, 5, 8]`",
    "kind": "the base says it; another kind needs another `base`",
    "ppoc": "the base says it",
    "name": "the experiment names its runs",
    "extends": "write `base: FILE`, which a variant may have too",
    "lock": "give the lock itself as the base",
}
TASKS = "name environments in `tasks` alone; all that is compared runs in each"


@rule("E305", phase=Phase.PLANNED)
def runs_take_what_the_experiment_gives(
    resolved: ExperimentResolved, plan: Plan
) -> Iterator[Diagnostic]:
    given = dict(GIVEN)
    if plan.root.value.get("tasks") is not None:
        given |= {cell.base.kind.task: TASKS for cell in plan.cells}
    for setting in plan.settings:
        for layer in setting.layers:
            for path, node in layer.leaves():
                key = next((x for x in given if x and f"{'.'.join(path)}.".startswith(f"{x}.")), "")
                if key:
                    message = f"`{key}` of a run is the experiment's to give"
                    yield Diagnostic("E305", message, node.key_span or node.span, help=given[key])
