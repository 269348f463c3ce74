"""E309: the baseline is one of the settings."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.suggest import did_you_mean


@rule("E309", "compare.baseline", phase=Phase.PLANNED)
def the_baseline_is_a_setting(resolved: ExperimentResolved, plan: Plan) -> Iterator[Diagnostic]:
    baseline = resolved.spec.compare.baseline
    names = [setting.name for setting in plan.settings]
    if baseline is None or (baseline in names and not plan.searches):
        return
    if plan.searches:
        message = "a search has no baseline: its best trials are compared with each other"
        help = "remove `baseline`"
    else:
        message = f"no setting is called {baseline[:100]!r}"
        shown = ", ".join(f"`{name}`" for name in names[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        close = did_you_mean(baseline, names, cutoff=0.6)
        help = f"{close} the settings are: {shown}{more}".strip()
    yield resolved.diagnostic("E309", ("compare", "baseline"), message, help=help)
