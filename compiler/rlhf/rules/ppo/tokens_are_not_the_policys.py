"""W408: log-probabilities of a distribution that the tokens were not drawn from."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W408", "ppo.generation.top_k", "ppo.generation.top_p", "stages", phase=Phase.ADVICE)
def tokens_are_not_the_policys(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    generation = resolved.spec.ppo.generation
    if "ppo" not in resolved.spec.stages:
        return
    for key in ("top_k", "top_p"):
        if getattr(generation, key) not in (None, 1):
            yield resolved.diagnostic(
                "W408",
                ("ppo", "generation", key),
                f"`{key}` draws from another distribution than the policy's",
                why="the importance ratio and the policy gradient are of the whole one",
                help=f"remove `{key}` from training; a finished model may be sampled with it",
            )
