"""Probing the environment: does it exist, what does it take and give, and what runs it."""

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ppoc.compiler.diagnostics import Diagnostic, SpecError
from ppoc.compiler.language import Environment
from ppoc.compiler.resolve import Resolved
from ppoc.compiler.suggest import did_you_mean

ID = ("env", "id")
RANDOM_STEPS = 200

# The classic-control tasks of ppoc.runtime.classic_control, and from how many of them on a step as
# tensors is faster than envpool's: some 250 on two cores, tenfold at 4,096 (benchmarks/scaling.py).
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
class EnvFacts:
    """What the compiler needs to know of an environment."""

    env_id: str
    backend: str  # gymnasium, envpool or torch
    observation_size: int  # O
    action_kind: str  # discrete or continuous
    action_size: int  # A: number of choices, or of components
    action_low: tuple[float, ...] = ()  # of continuous actions; may be infinite
    action_high: tuple[float, ...] = ()
    reward_range: float = 0.0  # the largest |reward| of RANDOM_STEPS random steps


def probe(resolved: Resolved, *, choose_backend: bool = True) -> EnvFacts:
    """Make the environment of a spec once, and look at its spaces.

    Without `choose_backend`, `backend: auto` is taken as gymnasium: enough for a check, and it
    spares importing envpool.

    Raises:
        SpecError: it is unknown or cannot be made (E103), its actions (E105) or observations
            (E106) are not of a kind ppoc handles, or the backend does not have it (E107).
    """
    env_id = resolved.spec.env.id
    _check_registered(resolved, env_id)
    with _quiet():
        observations, actions, rewards = _look(resolved)
    size = _observation_size(resolved, observations)
    kind, count, low, high = _action_facts(resolved, actions)
    ask = choose_backend or resolved.spec.env.backend != "auto"
    backend = _backend(resolved, observations, actions) if ask else "gymnasium"
    return EnvFacts(env_id, backend, size, kind, count, low, high, rewards)


def versions(backend: str) -> dict[str, str]:
    """Versions of the packages whose behaviour the environment depends on."""
    names = ["gymnasium", "mujoco", "box2d"] + (["envpool"] if backend == "envpool" else [])
    found = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def list_environments() -> tuple[str, ...]:
    """The ids of gymnasium's registry, which may grow while a program runs."""
    import gymnasium

    return tuple(sorted(gymnasium.registry))


def _fail(
    resolved: Resolved,
    code: str,
    path: tuple[str, ...],
    message: str,
    help: str = "",
    why: str = "",
) -> SpecError:
    found: Diagnostic = resolved.error(code, path, message, why=why, help=help)
    return SpecError([found])


def _check_registered(resolved: Resolved, env_id: str) -> None:
    if ":" in env_id:
        why = "a name before `:` is a Python module, which making the environment would import"
        help = "register the environment under a plain id"
        raise _fail(resolved, "E103", ID, f"`{env_id}` names a module", help, why)
    if env_id not in list_environments():
        close = did_you_mean(env_id, list_environments(), cutoff=0.7)
        help = close or "`gymnasium.pprint_registry()` prints those it has"
        raise _fail(resolved, "E103", ID, f"gymnasium has no environment `{env_id}`", help)


def _look(resolved: Resolved) -> tuple[Any, Any, float]:
    """Observation and action space of the environment, and the range of its rewards."""
    import gymnasium

    env_spec = resolved.spec.env
    limit = env_spec.max_episode_steps
    arguments: dict[str, Any] = dict(env_spec.options)
    if limit is not None:
        arguments["max_episode_steps"] = limit
    if "mujoco" in str(gymnasium.registry[env_spec.id].entry_point):
        _silence_mujoco()
    try:
        env = gymnasium.make(env_spec.id, disable_env_checker=True, **arguments)
    except gymnasium.error.DependencyNotInstalled as error:
        message = f"`{env_spec.id}` needs a package that is not installed"
        raise _fail(resolved, "E103", ID, message, help=str(error).strip()) from None
    except (Exception, SystemExit) as error:  # an environment's constructor may raise anything
        path = ("env", "options") if env_spec.options else ID
        message = f"`{env_spec.id}` cannot be made: {type(error).__name__}: {error}"
        help = _newer(env_spec.id)
        raise _fail(resolved, "E103", path, message.replace("\n", " "), help) from None
    try:
        return env.observation_space, env.action_space, _reward_range(env)
    except AttributeError as error:  # gymnasium leaves declaring the spaces to the environment
        raise _fail(resolved, "E103", ID, f"`{env_spec.id}` has no spaces: {error}") from None
    finally:
        with contextlib.suppress(Exception):  # it is not needed any more
            env.close()


def _newer(env_id: str) -> str:
    """What to say of a version that has a successor."""
    from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

    namespace, name, own = parse_env_id(env_id)
    newest = find_highest_version(namespace, name)
    if own is None or newest is None or newest <= own:
        return ""
    return f"its newest version is `{get_env_id(namespace, name, newest)}`"


def _reward_range(env: Any) -> float:
    """The largest |reward| of some random steps; 0 where the environment cannot take them."""
    largest = 0.0
    with contextlib.suppress(Exception):  # what is wrong with its steps is for the run to say
        env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(RANDOM_STEPS):
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            largest = max(largest, abs(float(reward)))
            if terminated or truncated:
                env.reset()
    return largest


def _observation_size(resolved: Resolved, space: Any) -> int:
    from gymnasium.spaces import Box

    if isinstance(space, Box) and _is_vector(space) and space.dtype.kind in "fiu":
        return int(space.shape[0])
    message = f"observations of `{resolved.spec.env.id}` are {space}"
    help = "ppoc takes a Box of one dimension for now; wrap the environment to flatten it"
    raise _fail(resolved, "E106", ID, message, help)


def _action_facts(
    resolved: Resolved, space: Any
) -> tuple[str, int, tuple[float, ...], tuple[float, ...]]:
    from gymnasium.spaces import Box, Discrete

    if isinstance(space, Discrete) and space.start == 0:
        return "discrete", int(space.n), (), ()
    if isinstance(space, Box) and _is_vector(space) and space.dtype.kind == "f":
        low, high = (tuple(float(x) for x in bound) for bound in (space.low, space.high))
        return "continuous", int(space.shape[0]), low, high
    message = f"actions of `{resolved.spec.env.id}` are {space}"
    help = "ppoc takes Discrete from 0, or a floating-point Box of one dimension, for now"
    raise _fail(resolved, "E105", ID, message, help)


def _is_vector(space: Any) -> bool:
    """Whether the elements of a Box are vectors with a component or more."""
    return len(space.shape) == 1 and space.shape[0] > 0


def _backend(resolved: Resolved, observations: Any, actions: Any) -> str:
    wanted = resolved.spec.env.backend
    if wanted == "gymnasium":
        return wanted
    path = ("env", "backend")
    count = resolved.spec.env.num_envs
    few = FEW_ENVIRONMENTS if resolved.spec.env.id in CHEAP_ENVIRONMENTS else 1
    if wanted == "auto" and count <= few:
        return "gymnasium"
    many = count >= MANY_ENVIRONMENTS
    if wanted == "torch" or (wanted == "auto" and many):
        problem = tensor_problem(resolved.spec.env)
        if not problem:
            return "torch"
    if wanted != "torch":
        problem = _envpool_problem(resolved, observations, actions)
    if wanted == "auto":
        return "gymnasium" if problem else "envpool"
    if problem:
        help = "use `backend: gymnasium` or `auto`"
        raise _fail(resolved, "E107", path, problem, help)
    return wanted


def tensor_problem(env_spec: Environment) -> str:
    """Why an environment cannot be stepped as a tensor, or nothing."""
    if env_spec.id not in TENSOR_ENVIRONMENTS:
        return f"`{env_spec.id}` is none of {', '.join(sorted(TENSOR_ENVIRONMENTS))}"
    return "environments as tensors take no options" if env_spec.options else ""


def _envpool_problem(resolved: Resolved, observations: Any, actions: Any) -> str:
    """Why envpool cannot run an environment as gymnasium does, or nothing."""
    env_spec = resolved.spec.env
    if importlib.util.find_spec("envpool") is None:
        return "envpool is not installed"
    if env_spec.options:
        return "envpool's environments take other options than gymnasium's"
    with _quiet():
        try:
            import envpool
        except Exception as error:  # a binary package may fail in any way
            return f"envpool cannot be imported: {error}"
        if env_spec.id not in envpool.list_all_envs():
            return f"envpool has no environment `{env_spec.id}`"
        spec = envpool.make_spec(env_spec.id)
        theirs = spec.gymnasium_observation_space, spec.gymnasium_action_space
    for own, other in zip((observations, actions), theirs, strict=True):
        if type(own) is not type(other) or own.shape != other.shape:
            return f"envpool's `{env_spec.id}` has other spaces than gymnasium's"
    return ""


def _silence_mujoco() -> None:
    """Keep MuJoCo from logging each warning to a file in the working directory."""
    with contextlib.suppress(ImportError, AttributeError):
        import mujoco

        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(lambda text: warnings.warn(text, stacklevel=1))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
