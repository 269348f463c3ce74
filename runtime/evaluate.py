"""Whole-episode evaluation without a bias to short episodes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs import VectorEnv

Policy = Callable[[NDArray[np.float32]], NDArray[Any]]


def evaluate(
    policy: Policy, envs: VectorEnv, episodes: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Undiscounted returns [episodes] of raw rewards, and lengths [episodes] in steps.

    Episode k is the ⌊k / N⌋-th that environment k mod N plays after its reset. Taking whichever
    episodes end first instead would favour short ones: where those score lower, as in CartPole,
    the policy would look worse than it is.

    Args:
        policy: observations [N, O] to actions [N] or [N, A], within the environment's bounds.
        seed: for the environments, which are reset here.
    """
    num_envs = envs.num_envs
    returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
    # The episode that each environment is playing; from `episodes` on, it is done.
    playing = np.arange(num_envs)
    observations = envs.reset(seed)
    while (active := playing < episodes).any():
        step = envs.step(policy(observations))
        observations = step.observations
        returns[playing[active]] += step.rewards[active]
        lengths[playing[active]] += 1
        playing += num_envs * (step.terminated | step.truncated)
    return returns, lengths
