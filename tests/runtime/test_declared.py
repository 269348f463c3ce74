"""Observations that are not in the space that announced them are told once, while a run goes."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from ppoc.runtime.envs.declared import announce, warn_outside
from ppoc.runtime.run.launch import execute

ROWS = np.zeros((4, 2, 3), np.float32)


class Drifting(gymnasium.Env):
    """Leaves its space after some steps."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        self._steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self._steps += 1
        observation = np.float32([0, 0.01 * self._steps])
        return observation, 1.0, False, self._steps >= 400, {}


gymnasium.register("Drifting-v0", Drifting)


def told(env_id, rows):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn_outside(env_id, rows)
    return [str(warning.message) for warning in found]


def test_what_leaves_a_space_is_told_once():
    announce("A-v0", Box(-1, np.float32([1, 2, np.inf])))
    assert told("A-v0", ROWS) == []
    rows = ROWS.copy()
    rows[2, 1] = 1.000001, 2, 1e9
    assert told("A-v0", rows) == []
    rows[3, 0, 1] = 2.5
    (text,) = told("A-v0", rows)
    assert text == (
        "A-v0 gave observations outside its space: component 1 was 2.5, and the space goes from "
        "-1 to 2"
    )
    assert told("A-v0", rows) == []


@pytest.mark.parametrize("space", [Box(-np.inf, np.inf, (3,)), Box(0, 9, (3,), np.uint8)])
def test_spaces_without_bounds_are_not_looked_at(space):
    announce("B-v0", space)
    assert told("B-v0", ROWS - 5) == []


def test_a_run_tells_it(module_of, tmp_path):
    module = module_of(
        "ppo/cartpole",
        "env={id: Drifting-v0, num_envs: 1}",
        "update={rollout_steps: 128, minibatch_size: 128, epochs: 1}",
        "training={total_steps: 384, compile: never}",
        "evaluation.episodes=1",
    )
    with pytest.warns(RuntimeWarning, match=r"Drifting-v0 gave observations outside its space"):
        execute(module, tmp_path, device="cpu", mode="quiet")
