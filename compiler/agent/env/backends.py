"""The choice of the backend that runs the environments of a spec."""

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.env.spaces import outline
from ppoc.compiler.agent.resolved import ResolvedAgent

# The tasks of ppoc.runtime.envs.classic_control, and from how many of them on a step as tensors is
# faster than envpool's: some 250 on two cores, tenfold at 4,096 (benchmarks/scaling.py).
TENSOR_ENVIRONMENTS = frozenset(
    {
        "CartPole-v0",
        "CartPole-v1",
        "Acrobot-v1",
        "Pendulum-v1",
        "MountainCar-v0",
        "MountainCarContinuous-v0",
    }
)
MANY_ENVIRONMENTS = 512

# Handing a step to envpool's threads and back costs 25 to 50 µs. One environment steps faster in
# this process, and so do a few of those whose step takes 5 to 8 µs there (benchmarks/scaling.py).
CHEAP_ENVIRONMENTS = TENSOR_ENVIRONMENTS - {"Acrobot-v1"}
FEW_ENVIRONMENTS = 8


@dataclass(frozen=True)
class Spaces:
    """The traits of an environment in one library, to compare with those in another."""

    observations: str  # the type of the space
    actions: str
    action_shape: tuple[int, ...]

    @classmethod
    def of(cls, observations: Any, actions: Any) -> "Spaces":
        """The traits of a pair of gymnasium's spaces."""
        of, to = (f"{type(x).__module__}.{type(x).__qualname__}" for x in (observations, actions))
        return cls(of, to, tuple(actions.shape or ()))


GAME = re.compile(r"^(?:ALE/(?P<sticky>\w+)-v5|(?P<plain>\w+)NoFrameskip-v4)$")


def choose(resolved: ResolvedAgent, facts: EnvFacts, spaces: Spaces) -> EnvFacts:
    """The facts for the backend that the spec asks for, or that is fastest."""
    env = resolved.spec.env
    if env.backend == "gymnasium":
        return facts
    few = FEW_ENVIRONMENTS if env.id in CHEAP_ENVIRONMENTS else 1
    # An Atari game is better off with envpool's screens even alone.
    if env.backend == "auto" and env.num_envs <= few and env.atari is None:
        return facts
    if env.backend == "torch" or (env.backend == "auto" and env.num_envs >= MANY_ENVIRONMENTS):
        problem = tensor_problem(facts)
        if not problem:
            return replace(facts, backend="torch")
    if env.backend != "torch":
        pooled = _as_envpool(resolved, facts)
        problem = _envpool_problem(pooled, facts, spaces)
        if not problem and pooled is not None:
            return _with_own_spaces(pooled)
    if env.backend == "auto":
        return facts
    help = "use `backend: gymnasium` or `auto`"
    raise resolved.spec_error("E107", ("env", "backend"), problem, help)


def tensor_problem(facts: EnvFacts) -> str:
    """Why an environment cannot be stepped as a tensor, or nothing."""
    if facts.env_id not in TENSOR_ENVIRONMENTS:
        return f"`{facts.env_id}` is none of {', '.join(sorted(TENSOR_ENVIRONMENTS))}"
    if facts.wrappers:
        return "environments as tensors take no wrappers"
    return "environments as tensors take no options" if facts.options else ""


def _as_envpool(resolved: ResolvedAgent, facts: EnvFacts) -> EnvFacts | None:
    """The facts in envpool's words; None where it has none for them."""
    env = resolved.spec.env
    if env.atari is None:
        return None if facts.options or facts.wrappers else replace(facts, backend="envpool")
    game, atari = GAME.match(env.id), env.atari
    expected = {"AtariPreprocessing", "EpisodicLife", "FireReset", "StackFrames", "ChannelsFirst"}
    if game is None or env.options or any(name not in expected for name, _ in facts.wrappers):
        return None
    options = {
        "frame_skip": atari.frame_skip,
        "img_height": atari.screen_size,
        "img_width": atari.screen_size,
        "gray_scale": atari.grayscale,
        "stack_num": env.frame_stack,
        "noop_max": max(atari.noop_max, 1),
        "use_fire_reset": atari.fire_reset,
        "repeat_action_probability": 0.25 if game["sticky"] else 0.0,
    }
    name = f"{game['sticky'] or game['plain']}-v5"
    return replace(facts, backend="envpool", env_id=name, options=options, package=None)


def _with_own_spaces(pooled: EnvFacts) -> EnvFacts:
    """The facts with the spaces as envpool has them."""
    import envpool

    with quiet():
        spec = envpool.make_spec(pooled.env_id, **pooled.options)
        found = spec.gymnasium_observation_space, spec.gymnasium_action_space
        return replace(pooled, pooled_spaces=(outline(found[0]), outline(found[1])))


def _envpool_problem(pooled: EnvFacts | None, facts: EnvFacts, spaces: Spaces) -> str:
    """Why envpool cannot run an environment as gymnasium does, or nothing."""
    if importlib.util.find_spec("envpool") is None:
        return "envpool is not installed"
    if pooled is None:
        return "envpool's environments take other options and wrappers than gymnasium's"
    with quiet():
        try:
            import envpool
        except Exception as error:  # a binary package may fail in any way
            return f"envpool cannot be imported: {error}"
        if pooled.env_id not in envpool.list_all_envs():
            return f"envpool has no environment `{pooled.env_id}`"
        spec = envpool.make_spec(pooled.env_id, **pooled.options)
        theirs, choices = spec.gymnasium_observation_space, spec.gymnasium_action_space
    pool = Spaces.of(theirs, choices)
    same = theirs.shape == facts.shape and pool.actions == spaces.actions
    same &= pool.observations == spaces.observations or bool(pooled.options)
    if not same or pool.action_shape != spaces.action_shape:
        return f"envpool's `{pooled.env_id}` has other spaces than gymnasium's"
    return ""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that environments print while they are made."""
    import gymnasium

    level = gymnasium.logger.min_level
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        gymnasium.logger.min_level = level
