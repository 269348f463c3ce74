"""An environment that does, at one of its steps, what environments are not to do."""

import ctypes
import itertools
import os
import signal
import sys
import time
from collections import deque

import gymnasium
import numpy as np
from gymnasium import spaces


class Faulty(gymnasium.Env):
    """Observations of three numbers, episodes of ten steps; `fault` happens at step `at`."""

    def __init__(self, fault: str = "none", at: int = 700) -> None:
        choice = spaces.Dict({"place": spaces.Discrete(3, start=1)})
        self.observation_space = spaces.Box(-1, 1, (3,), np.float32)
        if "choice" in fault:
            self.observation_space = choice
        self.action_space = spaces.Discrete(2)
        self._fault, self._at, self._steps = fault, at, 0

    def _observation(self):
        if "choice" in self._fault:
            return {"place": int(self.np_random.integers(1, 4))}
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._left = 10
        return self._observation(), {}

    def step(self, action):
        self._steps += 1
        self._left -= 1
        observation, reward = self._observation(), float(action)
        if self._steps == self._at and self._fault != "none":
            observation, reward = getattr(self, self._fault)(observation, reward)
        return observation, reward, False, self._left == 0, {}

    def raises(self, observation, reward):
        raise KeyError("no such joint")

    def exits(self, observation, reward):
        sys.exit(0)

    def leaves(self, observation, reward):
        raise GeneratorExit

    def vanishes(self, observation, reward):
        os._exit(0)

    def crashes(self, observation, reward):
        ctypes.string_at(0)

    def is_killed(self, observation, reward):
        os.kill(os.getpid(), signal.SIGKILL)

    def hangs(self, observation, reward):
        time.sleep(1000)

    def hangs_with_the_lock(self, observation, reward):
        deque(itertools.repeat(0), maxlen=0)  # a loop in C that lets no other thread run

    def gives_nan(self, observation, reward):
        observation[1] = np.nan
        return observation, reward

    def pays_infinity(self, observation, reward):
        return observation, float("-inf")

    def gives_another_shape(self, observation, reward):
        return observation[:1], reward

    def gives_words(self, observation, reward):
        return np.array(["a", "b", "c"]), reward

    def pays_nothing(self, observation, reward):
        return observation, None

    def gives_no_choice(self, observation, reward):
        return {"place": 0}, reward

    def needs_memory(self, observation, reward):
        np.ones(2**45)


gymnasium.register("Faulty-v0", Faulty)
