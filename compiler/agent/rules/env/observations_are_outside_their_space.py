"""W208: observations that their environment does not announce."""

from collections.abc import Iterator

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

ID = ("env", "id")


@rule("W208", "env.id", phase=Phase.PROBED)
def observations_are_outside_their_space(
    resolved: ResolvedAgent, facts: EnvFacts
) -> Iterator[Diagnostic]:
    outside = facts.observed.outside
    if outside:
        yield resolved.diagnostic(
            "W208",
            ID,
            f"an observation of `{resolved.spec.env.id}` is outside its space: {outside}",
            why="scales, bounds and other tools go by the space that an environment announces",
            help="correct the environment's `observation_space`, or its observations",
        )
