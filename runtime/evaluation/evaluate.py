"""Whole-episode evaluation without a bias to short episodes, its terms, and its words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs.guard import check_reset, check_step
from ppoc.runtime.envs.replay import ActionReplayEnv
from ppoc.runtime.envs.vector import EnvironmentFailure, VectorEnv
from ppoc.runtime.evaluation.statistics import Summary, summarize
from ppoc.runtime.interface import AgentInterface

# Where a module makes no evaluations of its own, or says nothing of how many environments.
EPISODES = 10
NUM_ENVS = 8
# Steps of an episode, where a module does not say it: as many as Atari games have frames.
MAX_STEPS = 108_000

Where = Callable[[int], VectorEnv] | VectorEnv | ActionReplayEnv  # what makes environments, or some
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


class Played(NamedTuple):
    """Episodes that were played."""

    returns: NDArray[np.float64]
    """[episodes], undiscounted, of raw rewards; of a cut episode, those up to there."""
    lengths: NDArray[np.int64]
    """[episodes], in steps."""
    cut: Flags
    """[episodes], bool: it had not ended after the steps that it may take."""


def evaluate(
    policy: Policy, envs: VectorEnv, episodes: int, seed: int, max_steps: int = MAX_STEPS
) -> Played:
    """Play whole episodes, each of `max_steps` at most.

    Episode k is the ⌊k / N⌋-th that environment k mod N plays after its reset. Taking whichever
    episodes end first instead would favour short ones: where those score lower, as in CartPole,
    the policy would look worse than it is.

    Args:
        policy: observations [N, O] to actions [N] or [N, A], within the environment's bounds.
        seed: for the environments, which are reset here.
        max_steps: steps after which an episode is cut; the next one begins with a reset.

    Raises:
        EnvironmentFailure: an environment fails, or a number of it or of the policy is not finite.
    """
    num_envs = envs.num_envs
    returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
    cut, elapsed = np.zeros(episodes, np.bool_), np.zeros(num_envs, np.int64)
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
        elapsed = np.where(ended, 0, elapsed + 1)
        if (late := elapsed >= max_steps).any():
            cut[playing[late & active]] = True
            observations = envs.restart(late, observations)
            elapsed[late] = 0
            ended = ended | late
        playing += num_envs * ended
        restart(policy, ended)
    return Played(returns, lengths, cut)


class Terms(NamedTuple):
    """How much an evaluation plays."""

    episodes: int
    max_steps: int  # of an episode, which is then cut
    num_envs: int  # at most, at a time

    @classmethod
    def of(
        cls,
        interface: AgentInterface | None,
        *,
        episodes: int | None = None,
        max_steps: int | None = None,
        num_envs: int | None = None,
    ) -> Self:
        """The terms of a module, but for what is given; without one, usual ones."""
        own = interface.evaluation if interface else None
        return cls(
            episodes or (own.episodes if own else 0) or EPISODES,
            max_steps or (own.max_steps if own else MAX_STEPS),
            num_envs or (own.num_envs if own else NUM_ENVS),
        )


def evaluate_policy(
    where: Where,
    policy: Policy,
    terms: Terms,
    seed: int,
) -> Summary:
    """Summary of the returns of whole episodes.

    Args:
        where: what makes environments, which are closed again; or environments, which stay open.

    Raises:
        EnvironmentFailure: an environment cannot be made or raised.
    """
    if isinstance(where, ActionReplayEnv):
        where = where.envs  # what is played here is not to be replayed
    if not callable(where):
        return _summary(policy, where, terms, seed)
    envs = where(min(terms.episodes, terms.num_envs))
    try:
        return _summary(policy, envs, terms, seed)
    finally:
        envs.close()


def _summary(policy: Policy, envs: VectorEnv, terms: Terms, seed: int) -> Summary:
    played = evaluate(policy, envs, terms.episodes, seed, terms.max_steps)
    cut = int(played.cut.sum())
    return summarize(played.returns, cut, terms.max_steps if cut else 0)


@contextmanager
def beside_training(where: Where) -> Iterator[None]:
    """A failure of environments that were made while those of training stand says what to set."""
    try:
        yield
    except EnvironmentFailure as error:
        if not callable(where):
            raise
        raise EnvironmentFailure(
            f"{error}\nthis was in an evaluation, whose environments stand beside training's: "
            "where only one can be open at a time, set `evaluation.share_envs: always`"
        ) from error


def describe(summary: Summary) -> str:
    """An evaluation in one line."""
    text = (
        f"mean return {summary.mean:.2f} ± {summary.std:.2f}, "
        f"IQM {summary.iqm:.2f} [{summary.iqm_low:.2f}, {summary.iqm_high:.2f}] "
        f"over {summary.episodes} episodes"
    )
    if summary.cut:
        were = "was" if summary.cut == 1 else "were"
        text += f", of which {summary.cut} {were} cut after {summary.cut_after:,} steps"
    return text
