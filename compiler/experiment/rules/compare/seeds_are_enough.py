"""W302: seeds differ more than settings often do, so one or two show nothing."""

from collections.abc import Iterator

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

ENOUGH = 3
SOURCE = "Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice"


@rule("W302", "seeds", "variants", "vary", "search", phase=Phase.ADVICE)
def seeds_are_enough(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    count = len(spec.seeds) if isinstance(spec.seeds, list) else spec.seeds
    if count >= ENOUGH or not (spec.variants or spec.vary or spec.search):
        return
    yield resolved.diagnostic(
        "W302",
        ("seeds",),
        f"{'one seed' if count == 1 else 'two seeds'} of each setting",
        why=f"seeds alone make runs differ as much as settings do ({SOURCE})",
        help="take 5 seeds or more for an answer; `ppoc compare` says how many more it needs",
    )
