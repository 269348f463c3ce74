"""A close of environments is timed as their steps are."""

import time

import gymnasium
import numpy as np
import pytest

from ppoc.runtime.envs import watchdog
from ppoc.runtime.envs.make import make


class Clinging(gymnasium.Env):
    """Does not close before it is told to."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    seconds = 0.0

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def close(self):
        time.sleep(self.seconds)


gymnasium.register("ppoc-tests/Clinging-v0", Clinging)


@pytest.mark.parametrize(("seconds", "ended"), [(0.0, False), (1.0, True)])
def test_a_close_that_hangs_ends_the_process(monkeypatch, seconds, ended):
    said = []
    monkeypatch.setattr(watchdog, "end_process", said.append)
    monkeypatch.setattr(Clinging, "seconds", seconds)
    envs = make("ppoc-tests/Clinging-v0", 1, backend="gymnasium", step_timeout=0.2)
    envs.reset(0)
    envs.close()
    assert bool(said) == ended
    if ended:
        assert "close of ppoc-tests/Clinging-v0 takes longer than env.step_timeout" in said[0]
