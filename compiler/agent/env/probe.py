"""Probing the environment: does it exist, what does it take and give, and what runs it.

It is made and stepped in a process of its own (`isolation`), whose answer is data.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ppoc.compiler.agent.env import backends, spaces
from ppoc.compiler.agent.env.backends import quiet
from ppoc.compiler.agent.env.facts import EnvFacts, Layers
from ppoc.compiler.agent.env.isolation import Desk
from ppoc.compiler.agent.env.looking import CLOSING, look
from ppoc.compiler.agent.env.making import (
    ID,
    constructor_options,
    list_environments,
    make,
    package_of,
    preload,
)
from ppoc.compiler.agent.env.observed import Observed
from ppoc.compiler.agent.env.stepping import take_steps
from ppoc.compiler.agent.env.time_limits import time_limit
from ppoc.compiler.agent.env.trust import found_beside, require_trust, search_beside
from ppoc.compiler.agent.env.wrapping import named_layers
from ppoc.compiler.agent.resolved import ResolvedAgent

__all__ = ["list_environments", "package_of", "probe", "versions"]


@dataclass(frozen=True)
class Seen:
    """An environment as a child process saw it: plain data, which is verified."""

    shape: tuple[int, ...]
    pixel: float
    layout: tuple[str, ...]  # wrappers without arguments
    action_kind: str
    action_size: int
    choices: tuple[int, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    spaces: backends.Spaces
    by_code: bool
    code_folders: tuple[str, ...]
    largest: float
    observed: Observed
    observation_outline: tuple[Any, ...]
    action_outline: tuple[Any, ...]
    time_limit: int | None


CLOSE_SECONDS = 2.0
# Paths of the values that a probe reads, but for the choice of a backend.
READS = (
    "env.id",
    "env.backend",
    "env.max_episode_steps",
    "env.step_timeout",
    "env.options",
    "env.atari.*",
    "env.frame_skip",
    "env.grayscale",
    "env.resize",
    "env.frame_stack",
    "env.wrappers",
    "env.action_masks",
    "networks.actor.body",
    "networks.actor.code",
    "networks.critic.code",
)


def probe(resolved: ResolvedAgent, *, choose_backend: bool = True, trust: bool = False) -> EnvFacts:
    """Make the environment of a spec once, look at its spaces, and take some random steps.

    With `trust`, code that the spec names is imported. Without `choose_backend`, `backend: auto` is
    taken as gymnasium: enough for a check, and it spares importing envpool. A spec from which wrong
    values were left out must have those of `READS`.

    Raises:
        SpecError: it is unknown or cannot be made (E103), its actions (E105) or observations
            (E106) are not of a kind ppoc handles, the backend does not have it (E107), a wrapper
            does not fit (E122), it gives no action masks (E123), its steps fail (E130), or the spec
            names code that is not trusted (E119).
    """
    require_trust(resolved, trust=trust)
    env_spec = resolved.spec.env
    layers, options = named_layers(env_spec), constructor_options(env_spec)
    with quiet():
        preload(env_spec.id.rpartition(":")[2])
    see = partial(_see, resolved, layers, options, trust)
    seen = look(resolved, ID, env_spec.id, see, Seen)
    module, _, name = env_spec.id.rpartition(":")
    facts = EnvFacts(
        env_id=env_spec.id if seen.by_code else name,
        backend="gymnasium",
        shape=(seen.shape[0] * env_spec.frame_stack, *seen.shape[1:]),
        action_kind=seen.action_kind,
        action_size=seen.action_size,
        choices=seen.choices,
        action_low=seen.action_low,
        action_high=seen.action_high,
        pixel=seen.pixel,
        reward_range=seen.largest,
        observed=seen.observed,
        options=options,
        package=None if seen.by_code else module or package_of(name),
        code_folders=seen.code_folders,
        observation_space=_tuples(seen.observation_outline),
        action_space=_tuples(seen.action_outline),
        time_limit=seen.time_limit,
    )
    layout: Layers = tuple((wrapper, {}) for wrapper in seen.layout)
    if env_spec.frame_stack > 1:
        layout = (*layout, ("StackFrames", {"count": env_spec.frame_stack}))
    if env_spec.action_masks:
        layout = (*layout, ("AppendActionMask", {"size": facts.action_size}))
    facts = replace(facts, wrappers=(*layers, *layout))
    ask = choose_backend or env_spec.backend != "auto"
    return backends.choose(resolved, facts, seen.spaces) if ask else facts


def versions(backend: str) -> dict[str, str]:
    """Versions of the packages whose behaviour the environment depends on."""
    names = ["gymnasium", "mujoco", "box2d"] + (["envpool"] if backend == "envpool" else [])
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _see(
    resolved: ResolvedAgent, layers: Layers, options: dict[str, Any], trust: bool, desk: Desk
) -> Iterator[Seen]:
    """Look at the environment, in a process of its own."""
    before = tuple(sys.path)
    if trust:
        search_beside(resolved)
    beside = found_beside(resolved, before) if trust else ()
    with quiet():
        env, by_code = make(resolved, layers, options, desk)
        shape, pixel, layout = spaces.observations(resolved, env.observation_space)
        actions = spaces.action_facts(resolved, env.action_space)
        masked = resolved.spec.env.action_masks and "discrete" in actions.action_kind
        choices = (actions.choices or (actions.action_size,)) if masked else ()
        steps = take_steps(resolved, env, layers, desk, choices)
        yield Seen(
            shape,
            pixel,
            tuple(name for name, _ in layout),
            actions.action_kind,
            actions.action_size,
            actions.choices,
            actions.action_low,
            actions.action_high,
            backends.Spaces.of(env.observation_space, env.action_space),
            by_code,
            beside,
            steps.largest,
            steps.observed,
            spaces.outline(env.observation_space),
            spaces.outline(env.action_space),
            time_limit(env),
        )
        # It is not needed any more, but may have started what its process does not end.
        with desk.doing(CLOSING, CLOSE_SECONDS), contextlib.suppress(BaseException):
            env.close()


def _tuples(outline: Any) -> Any:
    """An outline whose parts came back as lists."""
    return tuple(map(_tuples, outline)) if isinstance(outline, list | tuple) else outline
