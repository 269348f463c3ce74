"""Whole-episode evaluation without a bias to short episodes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs import VectorEnv
from ppoc.runtime.guard import check_reset, check_step

Policy = Callable[[NDArray[np.float32]], NDArray[Any]]
Flags = NDArray[np.bool_]


class RecurrentPolicy:
    """A policy with a memory, which it loses where an episode ends.

    Args:
        act: from observations [N, O], `starts` [N] bool and the state of the memory, None before
            the first call, to actions and the state after.
    """

    def __init__(self, act: Callable[[NDArray[Any], Flags, Any], tuple[NDArray[Any], Any]]) -> None:
        self._act = act
        self._state: Any = None
        self._starts: Flags | None = None

    def __call__(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Actions for observations [N, O]; N is the same at each call."""
        count = len(observations)
        starts = np.ones(count, np.bool_) if self._starts is None else self._starts
        actions, self._state = self._act(observations, starts, self._state)
        self._starts = np.zeros(count, np.bool_)
        return actions

    def restart(self, ended: Flags) -> None:
        """Say where, [N], the last actions ended an episode."""
        self._starts = ended


def restart(policy: Policy, ended: Flags) -> None:
    """Tell a policy, if it has a memory, where episodes ended."""
    if isinstance(policy, RecurrentPolicy):
        policy.restart(ended)


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

    Raises:
        EnvironmentFailure: an environment fails, or a number of it or of the policy is not finite.
    """
    num_envs = envs.num_envs
    returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
    # The episode that each environment is playing; from `episodes` on, it is done.
    playing = np.arange(num_envs)
    observations = envs.reset(seed)
    check_reset(observations)
    steps = 0
    while (active := playing < episodes).any():
        actions = policy(observations)
        step = envs.step(actions)
        check_step(steps, actions, step)
        steps += 1
        observations = step.observations
        returns[playing[active]] += step.rewards[active]
        lengths[playing[active]] += 1
        ended = step.terminated | step.truncated
        playing += num_envs * ended
        restart(policy, ended)
    return returns, lengths
