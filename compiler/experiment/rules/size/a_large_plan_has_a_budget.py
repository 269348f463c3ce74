"""W303: a large plan that nobody bounded may be a slip of a grid."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import size
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

MANY = 500


@rule("W303", "budget.*", "search", phase=Phase.ADVICE)
def a_large_plan_has_a_budget(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    budget, planned = resolved.spec.budget, size(resolved.root)
    bounded = (budget.runs, budget.steps, budget.hours) != (None, None, None)
    if resolved.spec.search is None and planned.runs > MANY and not bounded:
        yield resolved.diagnostic(
            "W303",
            ("vary",) if resolved.root.value.get("vary") else ("seeds",),
            f"{planned.runs:,} runs, and no budget",
            why=planned.product,
            help=f"say that so many are meant: `budget: {{runs: {planned.runs}}}`",
        )
