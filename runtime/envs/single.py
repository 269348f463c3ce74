"""Making a single environment of Gymnasium's."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ppoc.formats.processes import import_entry_point, import_safely
from ppoc.runtime.code import environment
from ppoc.runtime.envs.vector import Layers

if TYPE_CHECKING:
    from gymnasium import Env


def make_one(
    env_id: str, arguments: Mapping[str, Any], wrappers: Layers = (), package: str | None = None
) -> "Env[Any, Any]":
    """A single Gymnasium environment; raises what `gymnasium.make` and the environment raise."""
    import gymnasium

    if package is not None:
        import_safely(package)
    if is_mujoco(env_id):
        mujoco = import_safely("mujoco")
        # Otherwise each copy prints its warnings, and logs them to the working directory.
        if mujoco.get_mju_user_warning() is None:
            mujoco.set_mju_user_warning(
                lambda text: warnings.warn(text, RuntimeWarning, stacklevel=1)
            )
    if (found := gymnasium.registry.get(env_id)) is not None:
        import_entry_point(found.entry_point)
    env = gymnasium.make(environment(env_id), disable_env_checker=True, **arguments)
    if not wrappers:
        return env
    from ppoc.runtime.envs.wrappers import wrap

    try:
        return wrap(env, wrappers)
    except Exception:
        env.close()
        raise


def is_mujoco(env_id: str) -> bool:
    """Whether MuJoCo simulates, and so renders, this Gymnasium environment."""
    import gymnasium

    spec = gymnasium.registry.get(env_id)
    return spec is not None and "mujoco" in str(spec.entry_point)
