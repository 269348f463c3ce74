"""E306: an experiment plans no more than its budget, and no more than can be planned."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import MAX_CELLS, MAX_RUNS, Plan, size
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule("E306", "budget.runs", "search")
def runs_fit_the_budget(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    if spec.search is None and spec.budget.runs is not None:
        planned = size(resolved.root)
        if planned.runs > spec.budget.runs:
            yield resolved.diagnostic(
                "E306",
                ("budget", "runs"),
                f"{planned.runs:,} runs, and a budget of {spec.budget.runs:,}",
                why=planned.product,
                help="raise the budget, or take fewer values, tasks or seeds",
            )


@rule("E306")
def runs_can_be_planned(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    planned = size(resolved.root)
    if not planned.is_possible:
        keys = [
            key for key in ("search", "vary", "variants", "seeds") if key in resolved.root.value
        ]
        yield resolved.diagnostic(
            "E306",
            tuple(keys[:1]),
            f"{planned.runs:,} runs are more than one experiment may have",
            why=planned.product,
            help=f"at most {MAX_CELLS:,} settings and tasks, and {MAX_RUNS:,} runs; a `search` "
            "finds good values of many keys in fewer",
        )


@rule("E306", "budget.steps", phase=Phase.PLANNED)
def steps_fit_the_budget(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    most = resolved.spec.budget.steps
    steps = sum(plan.lengths) * len(plan.seeds)
    if most is not None and steps > most and not plan.searches:
        yield resolved.diagnostic(
            "E306",
            ("budget", "steps"),
            f"{steps:,} steps, and a budget of {most:,}",
            why=f"{len(plan.cells) * len(plan.seeds):,} runs take so many together",
            help="raise the budget, or take fewer values, tasks, seeds or steps a run",
        )
