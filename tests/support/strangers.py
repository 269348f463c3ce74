"""Environments of strangers, each with one fault or one oddity; written beside a spec by tests."""

import os
import signal
import subprocess
import sys
import time

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete


class Good(gymnasium.Env):
    """Nothing is wrong with this one."""

    def __init__(self, size=3):
        self.observation_space = Box(-1, 1, (size,), np.float32)
        self.action_space = Discrete(2)
        self.steps = 0

    def observe(self):
        return np.zeros(self.observation_space.shape, np.float32)

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self.observe(), {}

    def step(self, action):
        self.steps += 1
        return self.observe(), 1.0, self.steps >= 20, False, {}


def function(size=4):
    return Good(size)


def _of(**methods):
    return type("Variant", (Good,), methods)


def _step(answer):
    return _of(step=lambda self, action: answer(self))


def _raise(error):
    raise error


class OfItsOwn(BaseException):
    """No Exception, so that few catch it."""


def _forks(self, seed=None, options=None):
    os.fork()
    return self.observe(), {}


def _starts_a_child(self, seed=None, options=None):
    subprocess.Popen(["sleep", "60"])
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return self.observe(), {}


def _changes_the_process(self):
    Good.__init__(self)
    os.chdir("/")
    os.environ["HOME"] = "/nowhere"
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    sys.stdout.write("garbage")
    os.write(1, b"garbage" * 100_000)
    os.closerange(0, 200)


class Masked(Good):
    """Half of its actions end badly; its masks say which."""

    def __init__(self, mask=(1, 0, 1, 0), choices=()):
        super().__init__()
        self.action_space = MultiDiscrete(choices) if choices else Discrete(4)
        self.mask = mask

    def reset(self, *, seed=None, options=None):
        return self.observe(), {"action_mask": None if self.mask == (0,) else np.array(self.mask)}

    def step(self, action):
        if np.any(np.asarray(action) % 2):
            raise ValueError("forbidden")
        observation, info = self.reset()
        return observation, 0.0, False, False, info


FAULTS = {
    "raises": (_step(lambda s: 1 / 0), "in step 1, with action 1: ZeroDivisionError"),
    "old_step": (_step(lambda s: (s.observe(), 1.0, False, {})), "a tuple of 4 from step 1"),
    "no_step": (_step(lambda s: None), "returns None from step 1"),
    "no_reward": (_step(lambda s: (s.observe(), None, False, False, {})), "no number: None"),
    "text": (_step(lambda s: (s.observe(), "1", False, False, {})), "no number: str '1'"),
    "axes": (_step(lambda s: (s.observe(), np.ones(1), False, False, {})), "of the shape (1,)"),
    "nan": (_step(lambda s: (s.observe(), np.nan, False, False, {})), "a reward of nan"),
    "huge": (_step(lambda s: (s.observe(), 1e300, False, False, {})), "a reward of 1e+300"),
    "swapped": (_step(lambda s: (s.observe(), 1.0, False, {}, False)), "`truncated`"),
    "no_end": (_step(lambda s: (s.observe(), 1.0, None, False, {})), "`terminated`"),
    "shape": (_step(lambda s: (np.zeros(4), 1.0, False, False, {})), "has the shape (4,)"),
    "words": (_step(lambda s: (["a", "b", "c"], 1.0, False, False, {})), "of the type <U1"),
    "nothing": (_step(lambda s: (None, 1.0, False, False, {})), "has the shape ()"),
    "not_finite": (_step(lambda s: ([0, 0, np.inf], 1.0, False, False, {})), "inf in component 2"),
    "exits": (_step(lambda s: os._exit(0)), "ends its process with exit code 0"),
    "sys_exit": (_step(lambda s: sys.exit(0)), "SystemExit: 0"),
    "crashes": (_step(lambda s: os.kill(os.getpid(), signal.SIGSEGV)), "SIGSEGV"),
    "killed": (_step(lambda s: os.kill(os.getpid(), signal.SIGKILL)), "SIGKILL"),
    "terminated": (_step(lambda s: os.kill(os.getpid(), signal.SIGTERM)), "SIGTERM"),
    "generator": (_step(lambda s: _raise(GeneratorExit())), "GeneratorExit"),
    "interrupt": (_step(lambda s: _raise(KeyboardInterrupt())), "KeyboardInterrupt"),
    "its_own": (_step(lambda s: _raise(OfItsOwn("x"))), "OfItsOwn: x"),
    "no_seed": (_of(reset=lambda self: (self.observe(), {})), "in reset(seed=0): TypeError"),
    "old_reset": (_of(reset=lambda self, **_: self.observe()), "ndarray of the shape (3,)"),
    "forks": (_of(reset=_forks), "forks, and comes back in both processes"),
    "part": (
        _of(
            __init__=lambda self: (
                Good.__init__(self),
                setattr(self, "observation_space", Dict(a=Box(0, 1, (2,)), b=Discrete(3))),
            )[0],
            observe=lambda self: {"a": np.zeros(2), "b": 3},
        ),
        "is 3, which Discrete(3) has not",
    ),
}
ODDITIES = {
    "scalars": _step(lambda s: ([0, 0.5, 0], np.float32(1), np.bool_(False), np.bool_(True), {})),
    "whole": _step(lambda s: (np.zeros(3), 1, 0, np.int64(1), {})),
    "children": _of(reset=_starts_a_child),
    "changes": _of(__init__=_changes_the_process),
    "close_exits": _of(close=lambda self: os._exit(3)),
    "close_raises": _of(close=lambda self: 1 / 0),
}
Hangs = _step(lambda s: time.sleep(60))
Asks = _of(__init__=lambda self: input("name? "))
ExitsWhenMade = _of(__init__=lambda self: os._exit(0))
Slow = _step(lambda s: time.sleep(0.4) or (s.observe(), 1.0, False, False, {}))
Outside = _step(lambda s: (np.full(3, 5.0), 1.0, False, False, {}))
Rounded = _step(lambda s: (np.full(3, 1.0000001), 1.0, False, False, {}))
number = 3
globals().update({name: made for name, (made, _) in FAULTS.items()})
globals().update(ODDITIES)
gymnasium.register("Both", entry_point=Good, kwargs={"size": 7})
Both = function
