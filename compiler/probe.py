"""Probing the environment: does it exist, what does it take and give, and what runs it."""

import contextlib
import re
import warnings
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ppoc.compiler import backends, spaces
from ppoc.compiler.backends import quiet
from ppoc.compiler.facts import EnvFacts, Layers
from ppoc.compiler.language import Environment
from ppoc.compiler.observed import Observed, Watch, mask_of, random_action
from ppoc.compiler.observed_checks import refuse_masks
from ppoc.compiler.resolve import Resolved
from ppoc.compiler.suggest import did_you_mean
from ppoc.compiler.trust import imported, require_trust
from ppoc.formats.processes import import_entry_point, import_safely

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

# Wrappers of ppoc.runtime.wrappers that a spec may name.
OWN_WRAPPERS = frozenset({"MaskVelocity"})
BARRED_WRAPPERS = frozenset({"RecordVideo"})  # it writes where its arguments say


def probe(resolved: Resolved, *, choose_backend: bool = True, trust: bool = False) -> EnvFacts:
    """Make the environment of a spec once, and look at its spaces.

    With `trust`, code that the spec names is imported. Without `choose_backend`, `backend: auto` is
    taken as gymnasium: enough for a check, and it spares importing envpool.

    Raises:
        SpecError: it is unknown or cannot be made (E103), its actions (E105) or observations
            (E106) are not of a kind ppoc handles, the backend does not have it (E107), a wrapper
            does not fit (E122), or the spec names code that is not trusted (E119).
    """
    require_trust(resolved, trust=trust)
    env_spec = resolved.spec.env
    module, _, name = env_spec.id.rpartition(":")
    package = module or package_of(name)
    _check_registered(resolved, name, package)
    layers, options = named_layers(env_spec), _options(env_spec)
    with quiet():
        observations, actions, rewards, observed = _look(resolved, layers, options)
    refuse_masks(resolved, observed)
    shape, pixel, layout = spaces.observations(resolved, observations)
    facts = replace(
        spaces.action_facts(resolved, actions),
        env_id=name,
        shape=(shape[0] * env_spec.frame_stack, *shape[1:]),
        pixel=pixel,
        reward_range=rewards,
        observed=observed,
        options=options,
        package=package,
    )
    if env_spec.frame_stack > 1:
        layout = (*layout, ("StackFrames", {"count": env_spec.frame_stack}))
    if env_spec.action_masks:
        layout = (*layout, ("AppendActionMask", {"size": facts.action_size}))
    facts = replace(facts, wrappers=(*layers, *layout))
    ask = choose_backend or env_spec.backend != "auto"
    return backends.choose(resolved, facts, observations, actions) if ask else facts


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


def _check_registered(resolved: Resolved, env_id: str, package: str | None) -> None:
    if package is not None:
        try:
            import_safely(package)
        except Exception as error:  # a package may fail in any way
            message = f"`{env_id}` needs the package {package}: {type(error).__name__}: {error}"
            help = f"install it: `pip install {package.replace('_', '-')}`"
            raise resolved.refusal("E103", ID, message.replace("\n", " "), help) from None
    if env_id not in list_environments():
        close = did_you_mean(env_id, list_environments(), cutoff=0.7)
        help = close or _newer(env_id) or "`gymnasium.pprint_registry()` prints those it has"
        raise resolved.refusal("E103", ID, f"gymnasium has no environment `{env_id}`", help)


def _look(
    resolved: Resolved, layers: Layers, options: dict[str, Any]
) -> tuple[Any, Any, float, Observed]:
    """Observation and action space within the wrappers, the range of the rewards, and what random
    steps show of observations."""
    import gymnasium

    env_spec = resolved.spec.env
    limit = env_spec.max_episode_steps
    arguments = dict(options)
    if limit is not None:
        arguments["max_episode_steps"] = limit
    env_id = env_spec.id.rpartition(":")[2]
    entry_point = gymnasium.registry[env_id].entry_point
    try:
        import_entry_point(entry_point)
        if "mujoco" in str(entry_point):
            _silence_mujoco()
        env = gymnasium.make(env_id, disable_env_checker=True, **arguments)
    except gymnasium.error.DependencyNotInstalled as error:
        message = f"`{env_spec.id}` needs a package that is not installed"
        raise resolved.refusal("E103", ID, message, help=str(error).strip()) from None
    except (Exception, SystemExit) as error:  # an environment's constructor may raise anything
        path = ("env", "options") if env_spec.options else ID
        message = f"`{env_spec.id}` cannot be made: {type(error).__name__}: {error}"
        help = _newer(env_id)
        raise resolved.refusal("E103", path, message.replace("\n", " "), help) from None
    for layer in layers:
        env = _wrapped(resolved, env, *layer)
    try:
        watch = Watch(env.observation_space, env.action_space)
        rewards = _reward_range(env, watch, masks=env_spec.action_masks)
        return env.observation_space, env.action_space, rewards, watch.found()
    except AttributeError as error:  # gymnasium leaves declaring the spaces to the environment
        raise resolved.refusal("E103", ID, f"`{env_spec.id}` has no spaces: {error}") from None
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
    code = ":" in name
    found: Any = imported(resolved, path, name) if code else getattr(wrappers, name, None)
    if not code and (not isinstance(found, type) or name in BARRED_WRAPPERS):
        known = [x for x in vars(wrappers) if isinstance(getattr(wrappers, x), type)]
        close = did_you_mean(name, [*known, *OWN_WRAPPERS])
        help = f"{close} a name of gymnasium.wrappers, or MaskVelocity".strip()
        raise resolved.refusal("E122", path, f"no wrapper `{name}`", help)
    if name in {"AtariPreprocessing", "GrayscaleObservation", "ResizeObservation"}:
        key = {"A": "atari", "G": "grayscale", "R": "resize"}[name[0]]
        path = ("env", key) if getattr(resolved.spec.env, key) else path
    try:
        return found(env, **arguments)
    except DependencyNotInstalled as error:
        message = f"`{name}` needs a package that is not installed"
        raise resolved.refusal("E122", path, message, help=str(error).strip()) from None
    except Exception as error:  # a wrapper may object in any way
        message = f"`{name}` does not fit: {type(error).__name__}: {error}".replace("\n", " ")
        raise resolved.refusal("E122", path, message, help="see gymnasium's reference") from None


def _newer(env_id: str) -> str:
    """What to say of a version that has a successor."""
    from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

    namespace, name, own = parse_env_id(env_id)
    newest = find_highest_version(namespace, name)
    if own is None or newest is None or newest <= own:
        return ""
    return f"its newest version is `{get_env_id(namespace, name, newest)}`"


def _reward_range(env: Any, watch: Watch, *, masks: bool) -> float:
    """The largest |reward| of some random steps, which `watch` sees too; 0 where there are none."""
    largest = 0.0
    with contextlib.suppress(Exception):  # what is wrong with its steps is for the run to say
        observation, info = env.reset(seed=0)
        env.action_space.seed(0)
        for step in range(RANDOM_STEPS):
            mask = mask_of(env, info) if masks else None
            watch.take(step, observation, mask)
            action = random_action(env.action_space, mask)
            observation, reward, terminated, truncated, info = env.step(action)
            largest = max(largest, abs(float(reward)))
            if terminated or truncated:
                watch.take(step + 1, observation)
                observation, info = env.reset()
    return largest


def _silence_mujoco() -> None:
    """Keep MuJoCo from logging each warning to a file in the working directory."""
    with contextlib.suppress(ImportError, AttributeError):
        import mujoco

        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(lambda text: warnings.warn(text, stacklevel=1))
