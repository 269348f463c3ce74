"""A limit on how long a step of the environments may take, held by someone who is not waiting.

A step that hangs is inside somebody's code and cannot be interrupted: the process is ended. A
thread does so; where the step does not let go of Python's lock, and so stops every thread, a
process that reads the same clock does: `ppoc run` has one (`ppoc.cli.training.supervisor`).
"""

import struct
import threading
import time
from typing import Any

from numpy.typing import NDArray

from ppoc.runtime.ending import end_process
from ppoc.runtime.envs.vector import Episodes, Flags, Floats, Running, Step, VectorEnv

# Seconds of the monotonic clock when the step under way began, or 0, and how long it may take.
CLOCK = struct.Struct("dd")
clock: Any = bytearray(CLOCK.size)


def too_slow(env_id: str, seconds: float) -> str:
    """The message about a step, a reset or a close that takes too long."""
    return f"a step or the close of {env_id} takes longer than env.step_timeout, {seconds:g} s"


class WatchedEnvs:
    """Environments whose steps, resets and close end the process when one takes too long."""

    def __init__(self, envs: VectorEnv, env_id: str, seconds: float) -> None:
        self.num_envs = envs.num_envs
        self.observation_space, self.action_space = envs.observation_space, envs.action_space
        self.announced = envs.announced
        self._envs = envs
        self._env_id, self._seconds = env_id, seconds
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def running(self) -> Running:
        return self._envs.running

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        CLOCK.pack_into(clock, 0, time.monotonic(), self._seconds)
        try:
            return self._envs.reset(seed, episodes)
        finally:
            CLOCK.pack_into(clock, 0, 0.0, self._seconds)

    def restart(self, where: Flags, observations: Floats) -> Floats:
        CLOCK.pack_into(clock, 0, time.monotonic(), self._seconds)
        try:
            return self._envs.restart(where, observations)
        finally:
            CLOCK.pack_into(clock, 0, 0.0, self._seconds)

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        CLOCK.pack_into(clock, 0, time.monotonic(), self._seconds)
        try:
            return self._envs.step(actions, where)
        finally:
            CLOCK.pack_into(clock, 0, 0.0, self._seconds)

    def close(self) -> None:
        CLOCK.pack_into(clock, 0, time.monotonic(), self._seconds)
        try:
            self._envs.close()
        finally:
            CLOCK.pack_into(clock, 0, 0.0, self._seconds)
            self._closed.set()

    def _watch(self) -> None:
        pause = min(self._seconds / 4, 1.0)
        looked = resumed = time.monotonic()
        while not self._closed.wait(pause):
            now = time.monotonic()
            if now - looked > pause + self._seconds / 2:
                resumed = now  # the whole process was stopped, as by Ctrl-Z: the step was not slow
            looked = now
            since, _ = CLOCK.unpack_from(clock)
            if since and now - max(since, resumed) > self._seconds:
                end_process(too_slow(self._env_id, self._seconds))
