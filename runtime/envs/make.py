"""Making environments side by side, whatever runs them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ppoc.runtime.envs.answers import in_words
from ppoc.runtime.envs.declared import announce
from ppoc.runtime.envs.vector import STOPS, Backend, EnvironmentFailure, Layers, Outlines, VectorEnv

if TYPE_CHECKING:
    from gymnasium import Space


def make(
    env_id: str,
    num_envs: int,
    *,
    backend: Backend,
    threads: int | None = None,
    max_episode_steps: int | None = None,
    options: Mapping[str, Any] | None = None,
    wrappers: Layers = (),
    package: str | None = None,
    step_timeout: float | None = None,
    spaces: Outlines | None = None,
) -> VectorEnv:
    """Make `num_envs` copies of the environment `env_id`.

    Args:
        threads: for envpool, how many step the environments; one per core when not given.
            Gymnasium's step in this process, one after another.
        max_episode_steps: the time limit, in place of the environment's registered one.
        options: keyword arguments for the environment itself.
        wrappers: names and arguments of wrappers (`ppoc.runtime.envs.wrappers`), for gymnasium.
        package: what to import first, so that the environment is registered.
        step_timeout: seconds a step or a reset of all may take before the process is ended.
        spaces: outlines of the observations and of the actions that there must be.

    Raises:
        EnvironmentFailure: the backend does not know the environment or cannot make it, its
            observations or actions are of a kind that agents here do not take, or they are not
            those of `spaces`.
    """
    limit = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    arguments = {**(options or {}), **limit}
    with _failures(f"cannot make {env_id} with {backend}"):
        envs: VectorEnv
        if backend == "gymnasium":
            from ppoc.runtime.envs.gymnasium_envs import GymnasiumEnvs

            envs = GymnasiumEnvs(env_id, num_envs, arguments, wrappers, package)
        elif backend == "torch":
            from ppoc.runtime.envs import tensor_envs

            if options:
                raise ValueError("environments as tensors take no options")
            envs = tensor_envs.make(env_id, num_envs, max_episode_steps=max_episode_steps)
        else:
            from ppoc.runtime.envs.pooled_envs import PooledEnvs

            envs = PooledEnvs(env_id, num_envs, arguments, threads)
        if backend != "gymnasium":
            from ppoc.runtime.envs.located import LocatedEnvs

            envs = LocatedEnvs(envs, env_id)
        try:
            _check_spaces(envs.observation_space, envs.action_space)
            if spaces is not None:
                from ppoc.runtime.envs.spaces import compare_spaces

                compare_spaces(env_id, spaces, envs.announced, envs.action_space)
        except Exception:
            envs.close()
            raise
    announce(env_id, envs.observation_space)
    if step_timeout is None:
        return envs
    from ppoc.runtime.envs.watchdog import WatchedEnvs

    return WatchedEnvs(envs, env_id, step_timeout)


def _check_spaces(observations: "Space[Any]", actions: "Space[Any]") -> None:
    from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

    if not isinstance(observations, Box) or len(observations.shape) not in (1, 3):
        raise ValueError(f"observations must be vectors or images, not {observations}")
    if not isinstance(actions, Discrete | MultiDiscrete | MultiBinary | Box):
        raise ValueError(f"actions of a kind that no policy here takes: {actions}")


@contextmanager
def _failures(doing: str) -> Iterator[None]:
    try:
        yield
    except (*STOPS, EnvironmentFailure):
        raise
    except BaseException as error:
        raise EnvironmentFailure(f"{doing}: {in_words(error)}") from error
