"""Checks of what random steps showed of an environment's observations and action masks."""

from collections.abc import Iterator
from math import isnan, prod

from ppoc.compiler.agent.checks.lints import rewards_are_large
from ppoc.compiler.agent.checks.network_checks import CONVOLUTIONAL
from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.env.observed import Observed, Part
from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError

ID, BODY = ("env", "id"), ("networks", "actor", "body")
LARGE = 100.0  # of a number that a network is given


def advice_on(resolved: Resolved, facts: EnvFacts) -> Iterator[Diagnostic]:
    """Warnings about rewards and observations of a bad scale, or not as they were announced."""
    observed = facts.observed
    yield from rewards_are_large(resolved, facts.reward_range)
    yield from _flattened_images(resolved, observed)
    yield from _large_observations(resolved, observed)
    if observed.outside:
        yield resolved.diagnostic(
            "W208",
            ID,
            f"an observation of `{resolved.spec.env.id}` is outside its space: {observed.outside}",
            why="scales, bounds and other tools go by the space that an environment announces",
            help="correct the environment's `observation_space`, or its observations",
        )


def refuse_masks(resolved: Resolved, observed: Observed) -> None:
    """Refuse an environment whose mask allows nothing.

    Raises:
        SpecError: E125.
    """
    if resolved.spec.env.action_masks and observed.forbidden:
        message = f"`{resolved.spec.env.id}` allows no action {observed.forbidden}"
        why = "a policy has to take one, also where an episode should be over"
        help = "let its mask allow an action in each state that is not the last of an episode"
        raise SpecError([resolved.diagnostic("E125", ID, message, why=why, help=help)])


def _flattened_images(resolved: Resolved, observed: Observed) -> Iterator[Diagnostic]:
    """W209: pixels that are given to fully connected layers."""
    body = resolved.spec.networks.actor.body
    if body in CONVOLUTIONAL or body == "custom":
        return
    images = [part for part in observed.parts if part.is_image]
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


def _large_observations(resolved: Resolved, observed: Observed) -> Iterator[Diagnostic]:
    """W207: numbers of a scale that networks learn badly from."""
    normalize = resolved.spec.env.normalize.observations
    found = [] if normalize else [part for part in observed.parts if _is_large(part)]
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
