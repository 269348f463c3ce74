"""Vector environments: many copies of one environment, stepped together, whatever runs them.

Both backends reset an ended episode within the step that ended it (gymnasium calls this
`AutoresetMode.SAME_STEP`). So every row of every step is a real transition: a rollout holds no
dummy steps, and nothing has to be masked later.
"""

import os
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
        """Of a single environment: a Box of shape (O,), or (C, H, W) for images."""

    @property
    def action_space(self) -> "Space[Any]":
        """Of a single environment: Discrete, MultiDiscrete, MultiBinary or a Box."""

    def reset(self, seed: int) -> Floats:
        """Start new episodes and return their observations [N, O] float32.

        Environment i is seeded with `seed + i`; equal seeds and actions give equal trajectories.
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

    Raises:
        EnvironmentFailure: the backend does not know the environment or cannot make it, or its
            observations or actions are of a kind that agents here do not take.
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
            threads = threads or min(num_envs, len(os.sched_getaffinity(0)))
            envs = _EnvpoolEnvs(env_id, num_envs, threads, arguments)
        if backend != "gymnasium":
            from ppoc.runtime.located import LocatedEnvs

            envs = LocatedEnvs(envs, env_id)
        _check_spaces(envs.observation_space, envs.action_space)
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

    return wrap(env, wrappers)


def is_mujoco(env_id: str) -> bool:
    """Whether MuJoCo simulates, and so renders, this Gymnasium environment."""
    import gymnasium

    spec = gymnasium.registry.get(env_id)
    return spec is not None and "mujoco" in str(spec.entry_point)


class _EnvpoolEnvs:
    """An envpool in its synchronous mode, which steps the environments on threads of its own.

    Left alone, envpool answers the step after an episode's end with the next episode's first
    observation and ignores that step's action. Resetting the ended environments at once keeps
    such steps out of the batch. envpool reports an episode that terminates on the last step that
    its time limit allows as truncated only.
    """

    def __init__(
        self, env_id: str, num_envs: int, threads: int, arguments: Mapping[str, Any]
    ) -> None:
        import envpool

        if env_id not in envpool.list_all_envs():
            raise ValueError(f"envpool has no environment {env_id}")
        self.num_envs = num_envs
        self.env_id = env_id
        self._arguments = {
            **arguments,
            "num_envs": num_envs,
            "num_threads": threads,
            "thread_affinity_offset": _affinity(threads),
        }
        self._pool: Any = None
        with warnings.catch_warnings():
            # envpool declares some float32 boxes with float64 bounds.
            warnings.filterwarnings("ignore", message=".*precision lowered.*")
            spec = envpool.make_spec(env_id, **arguments)
            self.observation_space: Space[Any] = spec.gymnasium_observation_space
            self.action_space: Space[Any] = spec.gymnasium_action_space
        self._dtype = kept_as(self.observation_space)

    def reset(self, seed: int) -> Floats:
        import envpool

        # envpool takes a seed only when made, which takes 2 ms for each MuJoCo environment.
        self._pool = pool = envpool.make(
            self.env_id, env_type="gymnasium", seed=seed, **self._arguments
        )
        self._observation, self._reward, self._done, self._truncated, self._env_id = (
            pool._state_keys.index(key) for key in ("obs", "reward", "done", "trunc", "info:env_id")
        )
        # The arguments of a step in envpool's order, of which the action comes last.
        self._action_dtype = pool.spec.action_array_spec[pool.spec._action_keys[-1]].dtype
        ids = pool.all_env_ids
        self._send_arguments = [ids, ids, None]
        pool._reset(ids)
        return np.array(pool._recv()[self._observation], self._dtype)

    def step(self, actions: NDArray[Any]) -> Step:
        pool = self._pool
        if pool is None:
            raise EnvironmentFailure(f"{self.env_id} was stepped before its first reset")
        # `pool.step` builds dictionaries for longer than CartPole takes to step.
        self._send_arguments[-1] = np.ascontiguousarray(actions, self._action_dtype)
        pool._send(self._send_arguments)
        state = pool._recv()
        # Copies throughout: what envpool returns may be memory that it writes again.
        next_observations: NDArray[Any] = np.array(state[self._observation], self._dtype)
        rewards = np.array(state[self._reward], np.float32)
        ended, truncated = state[self._done], np.array(state[self._truncated])
        terminated = ended & ~truncated
        observations = next_observations
        if ended.any():
            observations = next_observations.copy()
            pool._reset(np.flatnonzero(ended).astype(np.int32))
            state = pool._recv()
            observations[state[self._env_id]] = state[self._observation]
        return Step(observations, rewards, terminated, truncated, next_observations)

    def close(self) -> None:
        self._pool = None


def _affinity(threads: int) -> int:
    """envpool's first core to bind a thread to; -1 for none.

    Left to the scheduler, threads that sleep through an update often wake on one and the same core:
    steps of HalfCheetah then take 230 µs instead of 150. A run that shares the machine, and so has
    fewer threads than cores, must not bind them to the cores another one binds its own to.
    """
    cores = os.cpu_count() or 1
    return 0 if threads >= cores == len(os.sched_getaffinity(0)) else -1


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
    except STOPS:
        raise
    except BaseException as error:
        raise EnvironmentFailure(f"{doing}: {in_words(error)}") from error
