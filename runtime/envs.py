"""Vector environments: many copies of one environment, stepped together, whatever runs them.

Both backends reset an ended episode within the step that ended it (gymnasium calls this
`AutoresetMode.SAME_STEP`). So every row of every step is a real transition: a rollout holds no
dummy steps, and nothing has to be masked later.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ppoc.formats.processes import import_entry_point, import_safely
from ppoc.runtime.answers import in_words
from ppoc.runtime.code import environment
from ppoc.runtime.declared import announce

if TYPE_CHECKING:
    from gymnasium import Env, Space

Layers = Iterable[tuple[str, Mapping[str, Any]]]
# The outlines of observations and of actions; see ppoc.runtime.spaces.
Outlines = tuple[tuple[Any, ...], tuple[Any, ...]]
Backend = Literal["gymnasium", "envpool", "torch"]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


class EnvironmentFailure(RuntimeError):  # noqa: N818 - EnvironmentError is a builtin
    """An environment could not be made, reset or stepped; the original error is chained."""


class Interrupted(BaseException):
    """A signal ends the run at once. No Exception, so that nothing on the way takes it for one."""


STOPS = (KeyboardInterrupt, Interrupted)  # what is raised within an environment, and not by it


class Step(NamedTuple):
    """One transition of each of N environments, with observations of O numbers.

    Images are uint8 [N, C, H, W] in place of float32 [N, O] throughout.

    `terminated` and `truncated` may both be set (gymnasium) when an episode terminates on the last
    step that its time limit allows: termination then counts, so bootstrap where not terminated.
    """

    observations: Floats
    """[N, O] float32, where the next action is taken: after an ended episode, the first
    observation of the next one."""
    rewards: Floats
    """[N] float32."""
    terminated: Flags
    """[N] bool, the task itself ended the episode: nothing follows, so nothing is bootstrapped."""
    truncated: Flags
    """[N] bool, a time limit cut the episode short: bootstrap from `next_observations`."""
    next_observations: Floats
    """[N, O] float32, the true successor of each transition: after an ended episode, its final
    observation. The same array object as `observations` where no episode ended."""


class VectorEnv(Protocol):
    """N copies of one environment with flat observations; ended episodes reset in the same step."""

    num_envs: int

    @property
    def observation_space(self) -> "Space[Any]":
        """The space of one environment's observations: a Box, (O,), or (C, H, W) for images."""

    @property
    def announced(self) -> "Space[Any]":
        """The observation space of a single environment before observations are laid out."""

    @property
    def action_space(self) -> "Space[Any]":
        """The space of one environment's actions: Discrete, MultiDiscrete, MultiBinary or a Box."""

    def reset(self, seed: int) -> Floats:
        """Start new episodes and return their observations [N, O] float32.

        Environment i is seeded with `seed + i`; equal seeds and actions give equal trajectories.
        """

    def restart(self, where: Flags, observations: Floats) -> Floats:
        """Start new episodes where [N] says so, without a seed, before the last ones ended.

        Args:
            observations: the last ones [N, O]; returned are they with those of the new episodes.
        """

    def step(self, actions: NDArray[Any]) -> Step:
        """Take actions [N] (Discrete) or [N, A], passed on as they are, without clipping.

        Choices count from 0, whatever the space's own `start`.

        Raises:
            EnvironmentFailure: an environment raised.
        """

    def close(self) -> None:
        """Release what the environments hold."""


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
        wrappers: names and arguments of wrappers (`ppoc.runtime.wrappers`), for gymnasium.
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
            from ppoc.runtime.gymnasium_envs import GymnasiumEnvs

            envs = GymnasiumEnvs(env_id, num_envs, arguments, wrappers, package)
        elif backend == "torch":
            from ppoc.runtime import tensor_envs

            if options:
                raise ValueError("environments as tensors take no options")
            envs = tensor_envs.make(env_id, num_envs, max_episode_steps=max_episode_steps)
        else:
            from ppoc.runtime.pooled_envs import PooledEnvs

            envs = PooledEnvs(env_id, num_envs, arguments, threads)
        if backend != "gymnasium":
            from ppoc.runtime.located import LocatedEnvs

            envs = LocatedEnvs(envs, env_id)
        try:
            _check_spaces(envs.observation_space, envs.action_space)
            if spaces is not None:
                compare_spaces(env_id, spaces, envs.announced, envs.action_space)
        except Exception:
            envs.close()
            raise
    announce(env_id, envs.observation_space)
    if step_timeout is None:
        return envs
    from ppoc.runtime.watchdog import WatchedEnvs

    return WatchedEnvs(envs, env_id, step_timeout)


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
    from ppoc.runtime.wrappers import wrap

    try:
        return wrap(env, wrappers)
    except Exception:
        env.close()
        raise


def compare_spaces(env_id: str, expected: Outlines, observations: Any, actions: Any) -> None:
    """See that an environment's spaces are those that a module was compiled for.

    Raises:
        EnvironmentFailure: they are not; it names both, and what to do.
    """
    from ppoc.runtime.spaces import SpacesError, check_spaces

    try:
        check_spaces(expected, observations, actions)
    except SpacesError as error:
        raise EnvironmentFailure(
            f"{env_id} has changed since its module was compiled: {error}. Bring the environment "
            "back as it was, or compile the spec again and train anew"
        ) from error


def is_mujoco(env_id: str) -> bool:
    """Whether MuJoCo simulates, and so renders, this Gymnasium environment."""
    import gymnasium

    spec = gymnasium.registry.get(env_id)
    return spec is not None and "mujoco" in str(spec.entry_point)


def kept_as(observations: "Space[Any]") -> type:
    """The dtype that observations are kept in: bytes for images, a quarter of the memory."""
    return np.uint8 if observations.dtype == np.uint8 and _is_image(observations) else np.float32


def _is_image(observations: "Space[Any]") -> bool:
    return len(observations.shape or ()) == 3


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
