"""Code of a user's own, by its `package.module:name`."""

from typing import TYPE_CHECKING, Any

from ppoc.formats.processes import import_safely

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec


def named(code: str) -> Any:
    """The object that code names; raises what its module raises.

    Raises:
        AttributeError: the module has nothing of this name.
    """
    module, _, inner = code.partition(":")
    found: Any = import_safely(module)
    for part in inner.split("."):
        found = getattr(found, part)
    return found


def environment(env_id: str) -> "str | EnvSpec":
    """The argument of `gymnasium.make`: a registered id, or code that makes the environment.

    `package.module:name` names a class, or a function that returns an environment; raises as
    `named`.
    """
    if ":" not in env_id:
        return env_id
    from gymnasium.envs.registration import EnvSpec

    return EnvSpec(env_id, entry_point=named(env_id))
