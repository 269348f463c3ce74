"""An environment that answers, at one step or reset, what environments are not to answer."""

import gymnasium
import numpy as np
from gymnasium import spaces

AT = 3
FINE = np.zeros(2, np.float32)


class Answering(gymnasium.Env):
    """Answers its third step, or from its second reset on a reset, as it is told to."""

    action_space = spaces.Box(-1, 1, (1,), np.float32)
    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as gymnasium has it

    def __init__(
        self, answer=None, start=None, refuses=False, mask=None, draws=True, render_mode=None
    ) -> None:
        self.answer, self.start, self.refuses, self.mask = answer, start, refuses, mask
        self.draws = draws
        self.render_mode = render_mode
        self.steps = self.resets = 0

    def reset(self, *, seed=None, options=None):
        self.resets += 1
        if self.start is not None and self.resets > 1:
            return self.start
        return FINE.copy(), {"action_mask": self.mask}

    def step(self, action):
        if self.refuses and not np.isfinite(action).all():
            raise ValueError("the simulator diverged")
        self.steps += 1
        if self.answer is not None and self.steps == AT:
            if isinstance(self.answer, type):
                raise self.answer
            if callable(self.answer):
                return self.answer()
            return self.answer
        return FINE.copy(), 0.5, self.steps % 5 == 0, False, {"action_mask": self.mask}

    def render(self):
        if not self.draws and self.steps:
            raise ZeroDivisionError
        return np.zeros((8, 8, 3), np.uint8)


gymnasium.register("ppoc-tests/Answering-v0", Answering, disable_env_checker=True)
NAME = "ppoc-tests/Answering-v0"


def paid(reward):
    return FINE, reward, False, False, {}


def ended(terminated, truncated=False):
    return FINE, 0.0, terminated, truncated, {}


def seen(observation):
    return observation, 0.0, False, False, {}
