"""E310: scores that normalise a task rise from the first to the second, and the task is run."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.suggest import did_you_mean


@rule("E310", "compare.scores", phase=Phase.PLANNED)
def scores_are_of_tasks(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    if resolved.origin(("tasks",)).kind == "override":
        return  # `-s tasks=[…]` runs some of those that there are
    tasks = list(dict.fromkeys(cell.task for cell in plan.cells))
    for task in resolved.spec.compare.scores:
        if plan.cells and task not in tasks:
            close = did_you_mean(task, tasks, cutoff=0.7)
            known = f"the tasks are: {', '.join(tasks[:5])}" if any(tasks) else "runs have no tasks"
            message = f"nothing is run on {task}"
            help = f"{close} {known}".strip()
            yield resolved.diagnostic("E310", ("compare", "scores", task), message, help=help)


@rule("E310", "compare.scores")
def scores_rise(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    for task, (low, high) in resolved.spec.compare.scores.items():
        if low >= high:
            yield resolved.diagnostic(
                "E310",
                ("compare", "scores", task),
                f"the scores of {task} do not rise: {low:g}, {high:g}",
                help="the first counts as 0 and the second, which is larger, as 1",
            )
