"""W207: numbers of a scale that networks learn badly from."""

from collections.abc import Iterator
from math import isnan

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.env.observed import Part
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

ID = ("env", "id")
LARGE = 100.0  # of a number that a network is given


@rule("W207", "env.normalize.observations", phase=Phase.PROBED)
def observations_are_large(resolved: ResolvedAgent, facts: EnvFacts) -> Iterator[Diagnostic]:
    normalize = resolved.spec.env.normalize.observations
    found = [] if normalize else [part for part in facts.observed.parts if _is_large(part)]
    if found:
        part = max(found, key=lambda part: _size(part))
        name = f"`{part.name}` " if part.name else ""
        seen = "" if isnan(part.largest) else f"random steps met {part.largest:.4g}"
        bounds = f"its bounds are {part.low:.4g} and {part.high:.4g}"
        yield resolved.diagnostic(
            "W207",
            ID,
            f"observations {name}are large and not normalised: {seen or bounds}",
            why=f"layers start for inputs near ±1; beyond ±{LARGE:g} their units saturate",
            help="set `env.normalize.observations: true`",
        )


def _is_large(part: Part) -> bool:
    """Whether what was seen of a part, or its bounds where nothing was, is large."""
    return not part.is_image and _size(part) > LARGE


def _size(part: Part) -> float:
    if not isnan(part.largest):
        return part.largest
    bounded = max(abs(part.low), abs(part.high))
    return bounded if bounded < 1e9 else 0.0
