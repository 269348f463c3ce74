"""Small environments of every kind of space, called Toy<actions><observations>-v0."""

from typing import ClassVar

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


class ScaledReward(gymnasium.RewardWrapper):
    """Rewards times a factor."""

    def __init__(self, env, scale):
        super().__init__(env)
        self.scale = scale

    def reward(self, reward):
        return self.scale * reward


class Masked(gymnasium.Env):
    """Allows some choices at a time, at random, says which in its info, and raises on others."""

    observation_space = spaces.Box(-9, 9, (3,), np.float32)

    def __init__(self, actions: str) -> None:
        self.action_space = ACTIONS[actions]
        sizes = self.action_space.nvec if actions == "MultiDiscrete" else self.action_space.n
        self._sizes = np.ravel(sizes)
        self._start = getattr(self.action_space, "start", 0)
        self._masks, self._steps = [], 0

    def _next(self):
        self._masks = [self.np_random.random(n) < 0.5 for n in self._sizes]
        for mask in self._masks:
            mask[self.np_random.integers(len(mask))] = True
        observation = self.np_random.normal(3, 2, 3).astype(np.float32)
        return observation.clip(-9, 9), {"action_mask": np.concatenate(self._masks)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._next()

    def step(self, action):
        for mask, choice in zip(self._masks, np.ravel(action - self._start), strict=True):
            if not mask[choice]:
                raise ValueError(f"{choice} is forbidden")
        self._steps += 1
        observation, info = self._next()
        return observation, float(np.sum(action)), self._steps >= 20, False, info


class MethodMasked(Masked):
    """The same, with a method instead of an entry in its info."""

    def _next(self):
        observation, _ = super()._next()
        return observation, {}

    def action_masks(self):
        return self._masks if len(self._masks) > 1 else self._masks[0]


for _actions in ("Discrete", "DiscreteFromOne", "MultiDiscrete"):
    for _kind in (Masked, MethodMasked):
        gymnasium.register(f"{_kind.__name__}{_actions}-v0", _kind, kwargs={"actions": _actions})


class Valve(gymnasium.Env):
    """Pays for a flow near 700 of 1,000; the others of its actions are off-centre, and unbounded.

    Attributes:
        taken: the actions of all valves, as they came.
    """

    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Box(np.float32([0, -3, -np.inf]), np.float32([1000, -1, np.inf]))
    taken: ClassVar[list[np.ndarray]] = []

    def __init__(self, bounded=False):
        if bounded:  # on all sides, as other libraries want it
            self.action_space = spaces.Box(np.float32([0, -3]), np.float32([1000, -1]))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self.np_random.uniform(-1, 1, 3).astype(np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.taken.append(action)
        self._steps += 1
        reward = -abs(float(action[0]) - 700) / 1000
        observation = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return observation, reward, False, self._steps >= 8, {}


gymnasium.register("ToyValve-v0", Valve)
gymnasium.register("ToyBoundedValve-v0", Valve, kwargs={"bounded": True})


class Solitary(gymnasium.Env):
    """One at a time, as a simulator that holds a port; its episodes last 20 steps, or for ever."""

    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Discrete(2)
    is_open = False
    opened = 0

    def __init__(self, endless: bool = False) -> None:
        if Solitary.is_open:
            raise OSError("the port is in use")
        Solitary.is_open = True
        Solitary.opened += 1
        self._endless, self._steps = endless, 0

    def _observation(self):
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._observation(), {}

    def step(self, action):
        self._steps += 1
        ended = self._steps == 20 and not self._endless
        return self._observation(), float(action), ended, False, {}

    def close(self):
        Solitary.is_open = False


gymnasium.register("Solitary-v0", Solitary, max_episode_steps=100)
gymnasium.register("Endless-v0", Solitary, kwargs={"endless": True})


class Changing(gymnasium.Env):
    """Its spaces are what a test says."""

    observations: spaces.Space = OBSERVATIONS["Vector"]
    actions: spaces.Space = ACTIONS["Discrete"]
    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str | None = None) -> None:
        self.observation_space, self.action_space = self.observations, self.actions
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 1.0, False, True, {}

    def render(self):
        return np.zeros((16, 16, 3), np.uint8)


gymnasium.register("Changing-v0", Changing, max_episode_steps=9)
