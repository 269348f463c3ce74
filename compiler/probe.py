"""Probing the environment: does it exist, what does it take and give, and what runs it."""

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any

from ppoc.compiler.diagnostics import Diagnostic, SpecError
from ppoc.compiler.language import Environment
from ppoc.compiler.resolve import Resolved
from ppoc.compiler.suggest import did_you_mean

ID = ("env", "id")
RANDOM_STEPS = 200

# Packages that register environments when imported, and the ids of those.
PACKAGES = {
    "ale_py": r"^ALE/|NoFrameskip-v4$|Deterministic-v4$",
    "minigrid": r"^(MiniGrid|BabyAI)-",
    "pybullet_envs_gymnasium": r"BulletEnv-v0$|BulletDuckEnv-v0$",
    "highway_env": r"^(highway|merge|roundabout|parking|intersection|racetrack)(-\w+)*-v\d+$",
    "gymnasium_robotics": r"^(Fetch|Hand|AntMaze|PointMaze|Adroit|Franka)\w*-v\d+$",
}
GAME = re.compile(r"^(?:ALE/(?P<sticky>\w+)-v5|(?P<plain>\w+)NoFrameskip-v4)$")

# Wrappers of ppoc.runtime.wrappers that a spec may name.
OWN_WRAPPERS = frozenset({"MaskVelocity"})
BARRED_WRAPPERS = frozenset({"RecordVideo"})  # it writes where its arguments say

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


Layers = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class EnvFacts:
    """What the compiler needs to know of an environment."""

    env_id: str  # as the backend calls it
    backend: str  # gymnasium, envpool or torch
    shape: tuple[int, ...]  # of an observation: (O,), or (C, H, W) of images
    action_kind: str  # discrete, multi-discrete, binary or continuous
    action_size: int  # A: number of choices, in all, or of components
    choices: tuple[int, ...] = ()  # of each component of multi-discrete actions
    action_low: tuple[float, ...] = ()  # of continuous actions; may be infinite
    action_high: tuple[float, ...] = ()
    pixel: float = 1.0  # the largest value in an image
    reward_range: float = 0.0  # the largest |reward| of RANDOM_STEPS random steps
    wrappers: Layers = ()  # around a gymnasium environment
    options: dict[str, Any] = field(default_factory=dict)  # as the backend calls them
    package: str | None = None  # to import, so that the environment is registered

    @property
    def images(self) -> bool:
        return len(self.shape) == 3

    @property
    def observation_size(self) -> int:
        """O, components of an observation."""
        return prod(self.shape)


def probe(resolved: Resolved, *, choose_backend: bool = True) -> EnvFacts:
    """Make the environment of a spec once, and look at its spaces.

    Without `choose_backend`, `backend: auto` is taken as gymnasium: enough for a check, and it
    spares importing envpool.

    Raises:
        SpecError: it is unknown or cannot be made (E103), its actions (E105) or observations
            (E106) are not of a kind ppoc handles, or the backend does not have it (E107).
    """
    env_spec = resolved.spec.env
    package = package_of(env_spec.id)
    _check_registered(resolved, env_spec.id, package)
    layers, options = named_layers(env_spec), _options(env_spec)
    with _quiet():
        observations, actions, rewards = _look(resolved, layers, options)
    shape, pixel, layout = _observations(resolved, observations)
    facts = replace(
        _action_facts(resolved, actions),
        env_id=env_spec.id,
        shape=(shape[0] * env_spec.frame_stack, *shape[1:]),
        pixel=pixel,
        reward_range=rewards,
        options=options,
        package=package,
    )
    if env_spec.frame_stack > 1:
        layout = (*layout, ("StackFrames", {"count": env_spec.frame_stack}))
    if env_spec.action_masks:
        layout = (*layout, ("AppendActionMask", {"size": facts.action_size}))
    facts = replace(facts, wrappers=(*layers, *layout))
    ask = choose_backend or env_spec.backend != "auto"
    return _backend(resolved, facts, observations, actions) if ask else facts


def named_layers(env: Environment) -> Layers:
    """The wrappers that a spec asks for, the innermost first."""
    layers: list[tuple[str, dict[str, Any]]] = []
    if env.atari is not None:
        atari = env.atari
        arguments = {
            "noop_max": atari.noop_max,
            "frame_skip": atari.frame_skip,
            "screen_size": atari.screen_size,
            "grayscale_obs": atari.grayscale,
        }
        layers.append(("AtariPreprocessing", arguments))
        layers += [("EpisodicLife", {})] * atari.episodic_life + [
            ("FireReset", {})
        ] * atari.fire_reset
    if env.frame_skip > 1:
        layers.append(("FrameSkip", {"skip": env.frame_skip}))
    for wrapper in env.wrappers:
        layers += [(wrapper, {})] if isinstance(wrapper, str) else [*wrapper.items()]
    if env.grayscale:
        layers.append(("GrayscaleObservation", {"keep_dim": False}))
    if env.resize is not None:
        layers.append(("ResizeObservation", {"shape": env.resize}))
    return tuple((name, _tuples(arguments)) for name, arguments in layers)


def _options(env: Environment) -> dict[str, Any]:
    """The arguments of the environment's constructor; the Atari wrapper skips frames itself."""
    own = {"frameskip": 1} if env.atari is not None else {}
    return _tuples({**own, **env.options})


def _tuples(arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}


def package_of(env_id: str) -> str | None:
    """The package, of those that ppoc knows, that registers an environment when imported."""
    return next((name for name, ids in PACKAGES.items() if re.search(ids, env_id)), None)


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


def _check_registered(resolved: Resolved, env_id: str, package: str | None) -> None:
    if ":" in env_id:
        why = "a name before `:` is a Python module, which making the environment would import"
        help = "register the environment under a plain id"
        raise _fail(resolved, "E103", ID, f"`{env_id}` names a module", help, why)
    if package is not None:
        try:
            importlib.import_module(package)
        except Exception as error:  # a package may fail in any way
            message = f"`{env_id}` needs the package {package}: {type(error).__name__}: {error}"
            help = f"install it: `pip install {package.replace('_', '-')}`"
            raise _fail(resolved, "E103", ID, message.replace("\n", " "), help) from None
    if env_id not in list_environments():
        close = did_you_mean(env_id, list_environments(), cutoff=0.7)
        help = close or _newer(env_id) or "`gymnasium.pprint_registry()` prints those it has"
        raise _fail(resolved, "E103", ID, f"gymnasium has no environment `{env_id}`", help)


def _look(resolved: Resolved, layers: Layers, options: dict[str, Any]) -> tuple[Any, Any, float]:
    """Observation and action space within the wrappers, and the range of the rewards."""
    import gymnasium

    env_spec = resolved.spec.env
    limit = env_spec.max_episode_steps
    arguments = dict(options)
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
    for layer in layers:
        env = _wrapped(resolved, env, *layer)
    try:
        return env.observation_space, env.action_space, _reward_range(env)
    except AttributeError as error:  # gymnasium leaves declaring the spaces to the environment
        raise _fail(resolved, "E103", ID, f"`{env_spec.id}` has no spaces: {error}") from None
    finally:
        with contextlib.suppress(Exception):  # it is not needed any more
            env.close()


def _wrapped(resolved: Resolved, env: Any, name: str, arguments: dict[str, Any]) -> Any:
    """An environment in a wrapper of gymnasium's; those of the runtime change no space."""
    from gymnasium import wrappers
    from gymnasium.error import DependencyNotInstalled

    path = ("env", "wrappers")
    if name in {"EpisodicLife", "FireReset", "FrameSkip"} or name in OWN_WRAPPERS:
        return env
    found = getattr(wrappers, name, None)
    if not isinstance(found, type) or name in BARRED_WRAPPERS or name.startswith("_"):
        known = [x for x in vars(wrappers) if isinstance(getattr(wrappers, x), type)]
        close = did_you_mean(name, [*known, *OWN_WRAPPERS])
        help = f"{close} a name of gymnasium.wrappers, or MaskVelocity".strip()
        raise _fail(resolved, "E122", path, f"no wrapper `{name}`", help)
    if name in {"AtariPreprocessing", "GrayscaleObservation", "ResizeObservation"}:
        key = {"A": "atari", "G": "grayscale", "R": "resize"}[name[0]]
        path = ("env", key) if getattr(resolved.spec.env, key) else path
    try:
        return found(env, **arguments)
    except DependencyNotInstalled as error:
        message = f"`{name}` needs a package that is not installed"
        raise _fail(resolved, "E122", path, message, help=str(error).strip()) from None
    except Exception as error:  # a wrapper may object in any way
        message = f"`{name}` does not fit: {type(error).__name__}: {error}".replace("\n", " ")
        raise _fail(resolved, "E122", path, message, help="see gymnasium's reference") from None


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


def _observations(
    resolved: Resolved, space: Any
) -> tuple[tuple[int, ...], float, tuple[tuple[str, dict[str, Any]], ...]]:
    """The shape that the networks see, the largest value of a pixel, and what shapes it so."""
    from gymnasium import spaces

    if resolved.spec.networks.actor.body != "mlp":
        return _images(resolved, space)
    if isinstance(space, spaces.Box) and _is_vector(space) and space.dtype.kind in "fiu":
        return (int(space.shape[0]),), 1.0, ()
    try:
        size = spaces.flatdim(space)
    except (NotImplementedError, ValueError):
        size = 0
    if size and getattr(space, "is_np_flattenable", True):
        return (int(size),), 1.0, (("Flatten", {}),)
    message = f"observations of `{resolved.spec.env.id}` are {space}"
    help = "ppoc takes what gymnasium can flatten to a vector of one length"
    raise _fail(resolved, "E106", ID, message, help)


def _images(
    resolved: Resolved, space: Any
) -> tuple[tuple[int, ...], float, tuple[tuple[str, dict[str, Any]], ...]]:
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or len(space.shape) not in (2, 3):
        what = f"a Box of {space.shape}" if isinstance(space, Box) else str(space)
        message = f"observations of `{resolved.spec.env.id}` are {what}, not images"
        path = ("networks", "actor", "body")
        help = "use `body: mlp`; a convolution takes a Box of [height, width] or with channels"
        raise _fail(resolved, "E106", path, message, help)
    pixel = float(space.high.max()) if space.dtype.kind == "u" else 1.0
    shape = tuple(int(side) for side in space.shape)
    if len(shape) == 2:
        return (1, *shape), pixel, (("ChannelsFirst", {}),)
    if shape.index(min(shape)) == 0:
        return shape, pixel, ()
    return (shape[2], *shape[:2]), pixel, (("ChannelsFirst", {}),)


def _action_facts(resolved: Resolved, space: Any) -> EnvFacts:
    """Facts of the actions, the rest left empty."""
    from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

    def facts(kind: str, size: int, **more: Any) -> EnvFacts:
        return EnvFacts("", "gymnasium", (), kind, size, **more)

    if isinstance(space, Discrete):
        return facts("discrete", int(space.n))
    if isinstance(space, MultiDiscrete):
        choices = tuple(int(n) for n in space.nvec.flatten())
        return facts("multi-discrete", sum(choices), choices=choices)
    if isinstance(space, MultiBinary):
        return facts("binary", prod(space.shape))
    if isinstance(space, Box) and space.dtype.kind == "f" and prod(space.shape):
        low, high = (tuple(float(x) for x in bound.flat) for bound in (space.low, space.high))
        return facts("continuous", prod(space.shape), action_low=low, action_high=high)
    message = f"actions of `{resolved.spec.env.id}` are {space}"
    help = "ppoc takes Discrete, MultiDiscrete, MultiBinary, and a Box of floating-point numbers"
    raise _fail(resolved, "E105", ID, message, help)


def _is_vector(space: Any) -> bool:
    """Whether the elements of a Box are vectors with a component or more."""
    return len(space.shape) == 1 and space.shape[0] > 0


def _backend(resolved: Resolved, facts: EnvFacts, observations: Any, actions: Any) -> EnvFacts:
    """The facts for the backend that the spec asks for, or that is fastest."""
    env = resolved.spec.env
    if env.backend == "gymnasium":
        return facts
    few = FEW_ENVIRONMENTS if env.id in CHEAP_ENVIRONMENTS else 1
    # An Atari game is better off with envpool's screens even alone.
    if env.backend == "auto" and env.num_envs <= few and env.atari is None:
        return facts
    if env.backend == "torch" or (env.backend == "auto" and env.num_envs >= MANY_ENVIRONMENTS):
        problem = _tensor_problem(resolved, facts)
        if not problem:
            return replace(facts, backend="torch")
    if env.backend != "torch":
        pooled = _as_envpool(resolved, facts)
        problem = _envpool_problem(pooled, facts, observations, actions)
        if not problem and pooled is not None:
            return pooled
    if env.backend == "auto":
        return facts
    help = "use `backend: gymnasium` or `auto`"
    raise _fail(resolved, "E107", ("env", "backend"), problem, help)


def _tensor_problem(resolved: Resolved, facts: EnvFacts) -> str:
    """Why an environment cannot be stepped as a tensor, or nothing."""
    if facts.env_id not in TENSOR_ENVIRONMENTS:
        return f"`{facts.env_id}` is none of {', '.join(sorted(TENSOR_ENVIRONMENTS))}"
    if facts.wrappers:
        return "environments as tensors take no wrappers"
    return "environments as tensors take no options" if facts.options else ""


def _as_envpool(resolved: Resolved, facts: EnvFacts) -> EnvFacts | None:
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


def _envpool_problem(
    pooled: EnvFacts | None, facts: EnvFacts, observations: Any, actions: Any
) -> str:
    """Why envpool cannot run an environment as gymnasium does, or nothing."""
    if importlib.util.find_spec("envpool") is None:
        return "envpool is not installed"
    if pooled is None:
        return "envpool's environments take other options and wrappers than gymnasium's"
    with _quiet():
        try:
            import envpool
        except Exception as error:  # a binary package may fail in any way
            return f"envpool cannot be imported: {error}"
        if pooled.env_id not in envpool.list_all_envs():
            return f"envpool has no environment `{pooled.env_id}`"
        spec = envpool.make_spec(pooled.env_id, **pooled.options)
        theirs, choices = spec.gymnasium_observation_space, spec.gymnasium_action_space
    same_shape = theirs.shape == facts.shape
    if type(theirs) is not type(observations) and not pooled.options:
        same_shape = False
    if not same_shape or type(choices) is not type(actions) or choices.shape != actions.shape:
        return f"envpool's `{pooled.env_id}` has other spaces than gymnasium's"
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
