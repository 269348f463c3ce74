"""W204: λ = 0 is all bias, λ = 1 all variance; a preset that means it is not asked."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.advice import LECTURE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule("W204", "advantage.estimator", "advantage.lambda", phase=Phase.ADVICE)
def gae_is_off(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    advantage = resolved.spec.advantage
    chosen = resolved.origin(("advantage", "lambda")).kind in ("spec", "extends", "override")
    if advantage.estimator == "gae" and advantage.lambda_ in (0.0, 1.0) and chosen:
        what = "one-step TD errors" if advantage.lambda_ == 0 else "returns minus values"
        yield resolved.diagnostic(
            "W204",
            ("advantage", "lambda"),
            f"λ = {advantage.lambda_:g} turns GAE off: advantages are {what}",
            why=f"values between trade bias for variance, mostly for the better ({LECTURE})",
            help="try 0.9 to 0.97",
        )
