"""W209: pixels that are given to fully connected layers."""

from collections.abc import Iterator
from math import prod

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.language.networks import CONVOLUTIONAL
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

ID = ("env", "id")
BODY = ("networks", "actor", "body")


@rule("W209", "env.normalize.observations", "networks.actor.body", phase=Phase.PROBED)
def images_are_flattened(resolved: ResolvedAgent, facts: EnvFacts) -> Iterator[Diagnostic]:
    body = resolved.spec.networks.actor.body
    if body in CONVOLUTIONAL or body == "custom":
        return
    images = [part for part in facts.observed.parts if part.is_image]
    for part in images:
        sides = "×".join(map(str, part.shape))
        what = f"`{part.name}`, an image of {sides}," if part.name else f"an image of {sides}"
        raw = part.high > 1 and not resolved.spec.env.normalize.observations
        alone = "use `body: nature-cnn`"
        beside = (
            "leave it out, or give the image alone, by a wrapper or an option of the environment: "
            "there are no networks for single keys yet"
        )
        yield resolved.diagnostic(
            "W209",
            resolved.first_explicit(BODY, ID),
            f"{what} is flattened to {prod(part.shape):,} inputs"
            + (f" from {part.low:g} to {part.high:g}" if raw else ""),
            why="fully connected layers do not know which pixels are neighbours"
            + (", and these are not scaled" if raw else ""),
            help=beside if part.name else alone,
        )
