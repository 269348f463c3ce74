"""W406: the score comes at the end, so that a discount favours short responses."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.papers import OUYANG, STIENNON
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W406", "ppo.advantage.gamma", "stages", phase=Phase.ADVICE)
def later_tokens_count_less(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    gamma = resolved.spec.ppo.advantage.gamma
    if "ppo" in resolved.spec.stages and gamma < 1:
        yield resolved.diagnostic(
            "W406",
            ("ppo", "advantage", "gamma"),
            f"γ = {gamma:g} discounts the score by the length of the response",
            why=f"the score comes with the last token; γ = 1 was used ({STIENNON}; {OUYANG})",
            help="set `gamma: 1`, unless short responses are wanted",
        )
