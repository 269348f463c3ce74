"""Wrappers that a spec asks for: their names, their arguments, and whether an environment fits."""

import inspect
from typing import Any

from ppoc.compiler.agent.env.blame import told
from ppoc.compiler.agent.env.facts import Layers
from ppoc.compiler.agent.env.trust import imported
from ppoc.compiler.agent.language.env import Environment
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.suggest import did_you_mean

# Wrappers of ppoc.runtime.envs.wrappers, which change no space, and the arguments of each: whole
# numbers from 1 to some number.
OWN_WRAPPERS: dict[str, dict[str, int]] = {
    "EpisodicLife": {},
    "FireReset": {},
    "FrameSkip": {"skip": 1000},
    "MaskVelocity": {},
}
# Environments whose velocities ppoc.runtime.envs.wrappers knows.
WITH_VELOCITIES = (
    "CartPole-v0",
    "CartPole-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
    "LunarLander-v3",
    "LunarLanderContinuous-v3",
)
# Names that pip has for the packages that wrappers of gymnasium's import.
PACKAGES_OF_WRAPPERS = {
    "array_api_compat": "array-api-compat",
    "cv2": "opencv-python",
    "jax": "jax",
    "torch": "torch",
}
BARRED_WRAPPERS = frozenset({"RecordVideo"})  # it writes where its arguments say


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
    return tuple((name, tuples(arguments)) for name, arguments in layers)


def tuples(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments with a tuple for each list, which YAML has in place of them."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}


def wrapped(resolved: ResolvedAgent, env: Any, name: str, arguments: dict[str, Any]) -> Any:
    """An environment in a wrapper; those of the runtime are checked, and left out.

    Raises:
        SpecError: E122, there is no such wrapper, or it does not take these arguments or this
            environment.
    """
    import gymnasium

    path = _path(resolved, name)
    if name in OWN_WRAPPERS:
        _check_own(resolved, env, name, arguments)
        return env
    found = imported(resolved, path, name) if ":" in name else _of_gymnasium(resolved, name)
    _bind(resolved, path, found, name, arguments)
    try:
        result = found(env, **arguments)
    except (ModuleNotFoundError, gymnasium.error.DependencyNotInstalled) as error:
        if ":" not in name:
            raise _missing(resolved, name, error) from None
        raise _unfit(resolved, name, error) from None
    except BaseException as error:  # a wrapper may object in any way
        raise _unfit(resolved, name, error) from None
    if not isinstance(result, gymnasium.Env):
        message = f"`{name}` returns {type(result).__name__}, which is no environment"
        help = "a wrapper is a class that derives from gymnasium.Wrapper"
        raise resolved.spec_error("E122", path, message, help)
    return result


def _unfit(resolved: ResolvedAgent, name: str, error: BaseException) -> SpecError:
    message = f"`{name}` does not fit: {told(error)}"
    help = "see its code" if ":" in name else "see gymnasium's reference"
    return resolved.spec_error("E122", _path(resolved, name), message, help)


def _path(resolved: ResolvedAgent, name: str) -> tuple[str, ...]:
    """The place of the spec that asks for a wrapper."""
    keys = {
        "AtariPreprocessing": "atari",
        "EpisodicLife": "atari",
        "FireReset": "atari",
        "FrameSkip": "frame_skip",
        "GrayscaleObservation": "grayscale",
        "ResizeObservation": "resize",
    }
    env = resolved.spec.env
    listed = [w if isinstance(w, str) else next(iter(w)) for w in env.wrappers]
    by_key = name in keys and name not in listed
    return ("env", keys[name] if by_key else "wrappers")


def _check_own(resolved: ResolvedAgent, env: Any, name: str, arguments: dict[str, Any]) -> None:
    """Check the arguments of a wrapper of the runtime, and what it needs of an environment."""
    path, takes = _path(resolved, name), OWN_WRAPPERS[name]
    kinds = [f"{key}: a whole number from 1 to {most:,}" for key, most in takes.items()]
    help = f"it takes {', '.join(kinds) or 'no arguments'}"
    for key in (*arguments, *takes):
        value = arguments.get(key)
        if key not in takes:
            message = f"`{name}` takes no `{key}`"
        elif key not in arguments:
            message = f"`{name}` needs `{key}`"
        elif type(value) is not int or not 1 <= value <= takes[key]:
            message = f"`{key}` of `{name}` cannot be {value!r}"
        else:
            continue
        raise resolved.spec_error("E122", path, message, help)
    known = env.spec.id if env.spec else ""
    if name == "MaskVelocity" and known not in WITH_VELOCITIES:
        message = f"the velocities of `{known or resolved.spec.env.id}` are not known"
        help = f"`MaskVelocity` knows those of {', '.join(WITH_VELOCITIES)}"
        raise resolved.spec_error("E122", path, message, help)
    if name == "FireReset" and not hasattr(env.unwrapped, "get_action_meanings"):
        message = f"`FireReset` is for Atari games, which `{resolved.spec.env.id}` is not"
        raise resolved.spec_error("E122", path, message, help="remove it")


def _of_gymnasium(resolved: ResolvedAgent, name: str) -> Any:
    """The wrapper of gymnasium's that has a name."""
    from gymnasium import Wrapper, wrappers
    from gymnasium.error import DependencyNotInstalled

    found, renamed = None, ""
    try:  # some are imported only now, with what they need
        found = getattr(wrappers, name)
    except AttributeError as error:
        renamed = f"{error}. " if "renamed" in str(error) else ""
    except (ImportError, DependencyNotInstalled) as error:
        raise _missing(resolved, name, error) from None
    if isinstance(found, type) and issubclass(found, Wrapper) and name not in BARRED_WRAPPERS:
        return found
    known = [x for x in wrappers.__all__ if x not in ("vector", *BARRED_WRAPPERS)]
    close = renamed or did_you_mean(name, [*known, *OWN_WRAPPERS])
    help = f"{close.strip()} a name of gymnasium.wrappers, or MaskVelocity".strip()
    raise resolved.spec_error("E122", _path(resolved, name), f"no wrapper `{name}`", help)


def _missing(resolved: ResolvedAgent, name: str, error: Exception) -> SpecError:
    """A wrapper that needs a package which is not installed."""
    package = error.name if isinstance(error, ModuleNotFoundError) else None
    message = f"`{name}` needs a package that is not installed" + (f": {package}" * bool(package))
    help = " ".join(str(error).split()) or "install it"
    if isinstance(error, ImportError):
        known = package in PACKAGES_OF_WRAPPERS
        help = f"install it: `pip install {PACKAGES_OF_WRAPPERS[str(package)]}`" if known else help
    return resolved.spec_error("E122", _path(resolved, name), message, help)


def _bind(
    resolved: ResolvedAgent, path: tuple[str, ...], found: Any, name: str, arguments: dict[str, Any]
) -> None:
    """Compare arguments with those that a wrapper takes, where it says."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(None, **arguments)
    except TypeError as error:
        takes = [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in [*signature.parameters.values()][1:]
        ]
        help = f"it takes {', '.join(map(str, takes)) or 'no arguments'}"
        message = f"`{name}` does not take these arguments: {error}"
        raise resolved.spec_error("E122", path, message, help) from None
