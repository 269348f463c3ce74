"""Making the environment of a spec: found by its id or its code, made, and within its wrappers."""

import contextlib
import re
import warnings
from typing import Any

from ppoc.compiler.agent.env.blame import told
from ppoc.compiler.agent.env.facts import Layers
from ppoc.compiler.agent.env.isolation import Desk
from ppoc.compiler.agent.env.trust import CodeError, import_code, named_in
from ppoc.compiler.agent.env.wrapping import tuples, wrapped
from ppoc.compiler.agent.language.env import Environment
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.suggest import did_you_mean
from ppoc.formats.processes import import_entry_point, import_safely

ID = ("env", "id")
MAKE_SECONDS = (
    20.0  # that an import, a constructor or a reset may take, where the spec says no more
)

# Packages that register environments when imported, and the ids of those.
PACKAGES = {
    "ale_py": r"^ALE/|NoFrameskip-v4$|Deterministic-v4$",
    "minigrid": r"^(MiniGrid|BabyAI)-",
    "pybullet_envs_gymnasium": r"BulletEnv-v0$|BulletDuckEnv-v0$",
    "highway_env": r"^(highway|merge|roundabout|parking|intersection|racetrack)(-\w+)*-v\d+$",
    "gymnasium_robotics": r"^(Fetch|Hand|AntMaze|PointMaze|Adroit|Franka)\w*-v\d+$",
}


def package_of(env_id: str) -> str | None:
    """The package, of those that ppoc knows, that registers an environment when imported."""
    return next((name for name, ids in PACKAGES.items() if re.search(ids, env_id)), None)


def list_environments() -> tuple[str, ...]:
    """The ids of gymnasium's registry, which may grow while a program runs."""
    import gymnasium

    return tuple(sorted(gymnasium.registry))


def constructor_options(env: Environment) -> dict[str, Any]:
    """The arguments of the environment's constructor; the Atari wrapper skips frames itself."""
    own = {"frameskip": 1} if env.atari is not None else {}
    return tuples({**own, **env.options})


def preload(env_id: str) -> None:
    """Import what ppoc knows of an environment's packages, so that a child need not.

    What fails here fails again where it is told.
    """
    import gymnasium

    package = package_of(env_id)
    spec = gymnasium.registry.get(env_id)
    point = str(spec.entry_point).partition(":")[0] if spec is not None else ""
    with contextlib.suppress(Exception):
        if package is not None:
            import_safely(package)
        elif point.startswith("gymnasium.envs."):
            import_safely(point)


def make(
    resolved: ResolvedAgent, layers: Layers, options: dict[str, Any], desk: Desk
) -> tuple[Any, bool]:
    """The environment of a spec within its wrappers; and whether its id is code.

    Raises:
        SpecError: it is unknown or cannot be made (E103), or a wrapper does not fit (E122).
    """
    limit = max(MAKE_SECONDS, resolved.spec.env.step_timeout or 0.0)
    with desk.doing("E103 its import", limit):
        found = _found(resolved)
    with desk.doing("E103 its constructor", limit):
        env = _made(resolved, found, options)
        for layer in layers:
            env = wrapped(resolved, env, *layer)
    return env, not isinstance(found, str)


def _found(resolved: ResolvedAgent) -> Any:
    """The argument of `gymnasium.make`: an id of its registry, or an EnvSpec of code.

    After a module is imported, an id that it has registered comes before a name that it has.
    """
    import gymnasium
    from gymnasium.envs.registration import EnvSpec

    env_id = resolved.spec.env.id
    module, _, name = env_id.rpartition(":")
    package = module or package_of(name)
    if package is not None:
        try:
            imported = import_code(package)
        except CodeError as error:
            raise _without_package(resolved, package, error) from None
    if name in gymnasium.registry:
        return name
    if module and re.fullmatch(r"[^\W\d][\w.]*", name):  # so `package` is that module
        try:
            found = named_in(imported, name)
        except CodeError as error:
            message = f"{error}, and registers no environment of that name"
            raise resolved.spec_error("E103", ID, message, error.help) from None
        if callable(found):
            return EnvSpec(env_id, entry_point=found)
        message = f"`{env_id}` is of the type {type(found).__name__}, and makes no environment"
        help = "give a class that derives from gymnasium.Env, or a function that returns one"
        raise resolved.spec_error("E103", ID, message, help)
    close = did_you_mean(name, list_environments(), cutoff=0.7)
    help = close or newer(name) or "`gymnasium.pprint_registry()` prints those it has"
    where = f", also with `{module}` imported" if module else ""
    raise resolved.spec_error("E103", ID, f"gymnasium has no environment `{name}`{where}", help)


def _without_package(resolved: ResolvedAgent, package: str, error: CodeError) -> SpecError:
    """A package that cannot be imported. Only what ppoc knows by name is told to be installed."""
    if error.missing == package and package in PACKAGES:
        message = f"`{resolved.spec.env.id}` needs the package {package}, which is not installed"
        help = f"install it: `pip install {package.replace('_', '-')}`"
        return resolved.spec_error("E103", ID, message, help)
    message = f"`{resolved.spec.env.id}` cannot be imported: {error}"
    return resolved.spec_error("E103", ID, message, error.help)


def _made(resolved: ResolvedAgent, found: Any, options: dict[str, Any]) -> Any:
    """The environment, without wrappers."""
    import gymnasium

    env_spec = resolved.spec.env
    limit = env_spec.max_episode_steps
    arguments = dict(options) | ({} if limit is None else {"max_episode_steps": limit})
    point = gymnasium.registry[found].entry_point if isinstance(found, str) else None
    try:
        import_entry_point(point)
        if "mujoco" in str(point):
            _silence_mujoco()
        env = gymnasium.make(found, disable_env_checker=True, **arguments)
    except gymnasium.error.DependencyNotInstalled as error:
        message = f"`{env_spec.id}` needs a package that is not installed"
        if ":" in env_spec.id:  # its own words, which are no advice of ours
            message, help = f"{message}: {told(error)}", "install what it needs"
            raise resolved.spec_error("E103", ID, message, help) from None
        raise resolved.spec_error("E103", ID, message, help=str(error).strip()) from None
    except BaseException as error:  # an environment's constructor may raise anything
        path = ("env", "options") if env_spec.options else ID
        message = f"`{env_spec.id}` cannot be made: {told(error)}"
        help = newer(found) if isinstance(found, str) else "see its constructor"
        raise resolved.spec_error("E103", path, message, help) from None
    for name in ("observation_space", "action_space"):
        try:
            space = getattr(env, name)
        except Exception as error:  # gymnasium leaves declaring the spaces to the environment
            message, help = f"`{env_spec.id}` has no spaces: {told(error)}", ""
        else:
            if isinstance(space, gymnasium.Space):
                continue
            message = f"the {name} of `{env_spec.id}` is {type(space).__name__}, no space"
            help = "use the spaces of gymnasium.spaces"
        raise resolved.spec_error("E103", ID, message, help)
    return env


def newer(env_id: str) -> str:
    """A sentence about an id whose version has a successor; nothing about others."""
    from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id
    from gymnasium.error import Error

    try:
        namespace, name, own = parse_env_id(env_id)
    except Error:  # no id that gymnasium could have
        return ""
    newest = find_highest_version(namespace, name)
    if own is None or newest is None or newest <= own:
        return ""
    return f"its newest version is `{get_env_id(namespace, name, newest)}`"


def _silence_mujoco() -> None:
    """Keep MuJoCo from logging each warning to a file in the working directory."""
    with contextlib.suppress(ImportError, AttributeError):
        import mujoco

        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(lambda text: warnings.warn(text, stacklevel=1))
