"""Small environments of every kind of space, called Toy<actions><observations>-v0."""

import gymnasium
import numpy as np
from gymnasium import spaces

ACTIONS = {
    "Discrete": spaces.Discrete(3),
    "DiscreteFromOne": spaces.Discrete(3, start=1),
    "MultiDiscrete": spaces.MultiDiscrete([2, 3]),
    "MultiBinary": spaces.MultiBinary([2, 2]),
    "Box": spaces.Box(-2, 1, (2, 1), np.float32),
    "Unbounded": spaces.Box(-np.inf, np.inf, (2,), np.float32),
}
OBSERVATIONS = {
    "Vector": spaces.Box(-1, 1, (3,), np.float32),
    "Choice": spaces.Discrete(4),
    "Dict": spaces.Dict({"x": spaces.Box(-1, 1, (2, 2), np.float32), "y": spaces.Discrete(2)}),
    "Bytes": spaces.Box(0, 255, (36, 40, 3), np.uint8),
    "Planes": spaces.Box(0, 1, (2, 36, 40), np.float32),
    "Screen": spaces.Box(0, 255, (36, 40), np.uint8),
}


class Toy(gymnasium.Env):
    """Random observations of a space; pays for an early choice, and ends both ways."""

    def __init__(self, actions: str, observations: str) -> None:
        self.action_space = ACTIONS[actions]
        self.observation_space = OBSERVATIONS[observations]
        self._steps = 0

    def _observation(self):
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._observation(), {}

    def step(self, action):
        assert self.action_space.contains(action), (action, self.action_space)
        self._steps += 1
        reward = float(np.mean(np.clip(action, -1, 1)))
        cut = self._steps >= 9
        return self._observation(), reward, bool(self.np_random.random() < 0.1), cut, {}

    def action_masks(self):
        sizes = getattr(self.action_space, "nvec", [getattr(self.action_space, "n", 1)])
        return [np.ones(n, np.int8) for n in np.ravel(sizes)]


for _actions in ACTIONS:
    for _observations in OBSERVATIONS:
        gymnasium.register(
            f"Toy{_actions}{_observations}-v0",
            Toy,
            kwargs={"actions": _actions, "observations": _observations},
        )
