"""Environments that envpool steps, on threads of its own."""

import os
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs.vector import (
    EnvironmentFailure,
    Episodes,
    Flags,
    Floats,
    Running,
    Step,
    kept_as,
)

if TYPE_CHECKING:
    from gymnasium import Space


class PooledEnvs:
    """An envpool in its synchronous mode, which steps the environments on threads of its own.

    Left alone, envpool answers the step after an episode's end with the next episode's first
    observation and ignores that step's action. Resetting the ended environments at once keeps
    such steps out of the batch. envpool reports an episode that terminates on the last step that
    its time limit allows as truncated only.

    It seeds all environments, once, when made, and never one alone: episodes cannot be told apart.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int,
        arguments: Mapping[str, Any],
        threads: int | None = None,
    ) -> None:
        import envpool

        threads = threads or min(num_envs, _for_us())
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
        self._seed = self._count = 0
        with warnings.catch_warnings():
            # envpool declares some float32 boxes with float64 bounds.
            warnings.filterwarnings("ignore", message=".*precision lowered.*")
            spec = envpool.make_spec(env_id, **arguments)
            self.observation_space: Space[Any] = spec.gymnasium_observation_space
            self.action_space: Space[Any] = spec.gymnasium_action_space
        self._dtype = kept_as(self.observation_space)

    @property
    def running(self) -> Running:
        zeros = np.zeros(self.num_envs, np.int64)
        return Running(self._seed, zeros, zeros + self._count)

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        import envpool

        self._seed, self._count = seed, 0
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

    @property
    def announced(self) -> "Space[Any]":
        """The observation space of a single environment."""
        return self.observation_space

    def restart(self, where: Flags, observations: Floats) -> Floats:
        observations = observations.copy()
        self._pool._reset(np.flatnonzero(where).astype(np.int32))
        state = self._pool._recv()
        observations[state[self._env_id]] = state[self._observation]
        return observations

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        pool = self._pool
        if pool is None:
            raise EnvironmentFailure(f"{self.env_id} was stepped before its first reset")
        if where is not None and not where.all():
            raise EnvironmentFailure(f"{self.env_id} in envpool is stepped all together")
        self._count += 1
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


def _for_us() -> int:
    """Cores that are for this run: where several share the machine, OMP_NUM_THREADS says it."""
    cores, told = len(os.sched_getaffinity(0)), os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(told)) if re.fullmatch(r"[1-9]\d{0,3}", told, re.ASCII) else cores


def _affinity(threads: int) -> int:
    """envpool's first core to bind a thread to; -1 for none.

    Left to the scheduler, threads that sleep through an update often wake on one and the same core:
    steps of HalfCheetah then take 230 µs instead of 150. A run that shares the machine, and so has
    fewer threads than cores, must not bind them to the cores another one binds its own to.
    """
    cores = os.cpu_count() or 1
    return 0 if threads >= cores == len(os.sched_getaffinity(0)) else -1
