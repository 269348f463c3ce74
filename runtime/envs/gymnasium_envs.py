"""Gymnasium environments stepped in turn, in this process."""

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs.answers import SCALARS, check_answer, flag_of, in_words, opened, reward_of
from ppoc.runtime.envs.located import Located
from ppoc.runtime.envs.observations import AnswerError, check_observation
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.envs.single import make_one
from ppoc.runtime.envs.vector import (
    STOPS,
    Episodes,
    Flags,
    Floats,
    Layers,
    Running,
    Step,
    kept_as,
)

if TYPE_CHECKING:
    from gymnasium import Env, Space


class GymnasiumEnvs(Located):
    """A `VectorEnv` of Gymnasium environments.

    `gymnasium.vector.SyncVectorEnv` keeps the same contract but merges every info dictionary of
    every step, which nothing here reads: for 8 environments that is a sixth of the time of a step.

    What an environment answers is looked at in each step: types are compared with those of the
    step before.

    Each episode has a seed of its own, so that it can be played again without those before it. An
    episode that ends with a life is none: the game goes on.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int,
        arguments: Mapping[str, Any],
        wrappers: Layers = (),
        package: str | None = None,
    ) -> None:
        super().__init__(env_id, num_envs)
        from ppoc.runtime.envs.wrappers import game_of

        self._envs: list[Env[Any, Any]] = []
        try:
            for _ in range(num_envs):
                self._envs.append(make_one(env_id, arguments, wrappers, package))
        except BaseException:
            self.close()
            raise
        self.observation_space: Space[Any] = self._envs[0].observation_space
        self.action_space: Space[Any] = self._envs[0].action_space
        self._each = self.observation_space.shape or ()
        self._shape = (num_envs, *self._each)
        self._dtype = kept_as(self.observation_space)
        start = getattr(self.action_space, "start", None)
        self._start = start if np.any(start) else None
        self._action_shape = (num_envs, *(self.action_space.shape or ()))
        self._games = [game_of(env) for env in self._envs]
        self._episodes = [0] * num_envs
        self._began = [0] * num_envs  # the count when the episode of each began
        self._reward_type: type = float
        self._observation_type: np.dtype[Any] = np.dtype(self._dtype)

    @property
    def running(self) -> Running:
        return Running(self.seed, np.array(self._episodes), self.count - np.array(self._began))

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        self.seed, self.count, self.observations = seed, 0, None
        self._episodes = [0] * self.num_envs if episodes is None else episodes.tolist()
        observations: NDArray[Any] = np.empty(self._shape, self._dtype)
        for index in range(self.num_envs):
            self._reset(index, observations)
        self.observations = observations
        return observations

    def _reset(self, index: int, observations: NDArray[Any]) -> None:
        """Begin the episode of one environment, into its row of `observations` [N, …]."""
        self._began[index] = self.count
        try:
            seed = episode_seed(self.seed, index, self._episodes[index])
            observation = opened(self._envs[index].reset(seed=seed))
            check_observation(observation, self._each, self._dtype)
            observations[index] = observation
        except STOPS:
            raise
        except BaseException as error:
            raise self.failure(error, "reset", index=index) from error

    @property
    def announced(self) -> "Space[Any]":
        """The observation space of a single environment before its observations are laid out."""
        from ppoc.runtime.envs.spaces import observed

        return observed(self._envs[0])

    def restart(self, where: Flags, observations: Floats) -> Floats:
        observations = observations.copy()
        for index in map(int, np.flatnonzero(where)):
            self._episodes[index] += 1
            self._reset(index, observations)
        self.observations = observations
        return observations

    def _reset_ended(self, index: int) -> Any:
        """The answer of a reset at an episode's end; unseeded where only a life ended."""
        game = self._games[index]
        if game is not None and not game.over:
            return self._envs[index].reset()
        self._episodes[index] += 1
        self._began[index] = self.count
        return self._envs[index].reset(seed=episode_seed(self.seed, index, self._episodes[index]))

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        # A copy, because an environment may keep the action while the caller reuses its array.
        actions = np.array(actions, self.action_space.dtype).reshape(self._action_shape)
        if self._start is not None:
            actions += self._start
        observations: NDArray[Any] = np.empty(self._shape, self._dtype)
        rewards = np.empty(self.num_envs, np.float32)
        turns: Iterable[tuple[int, Env[Any, Any]]] = enumerate(self._envs)
        if where is not None:
            assert self.observations is not None
            observations[:], rewards[:] = self.observations, 0
            turns = [(index, self._envs[index]) for index in np.flatnonzero(where).tolist()]
            for index in np.flatnonzero(~where).tolist():
                self._began[index] += 1
        terminated = np.zeros(self.num_envs, np.bool_)
        truncated = np.zeros(self.num_envs, np.bool_)
        finals: dict[int, Floats] = {}
        self.count += 1
        each = self._each
        index, doing, answer = 0, "step", None
        try:
            for index, env in turns:
                answer = None
                answer = env.step(actions[index])
                observation, reward, end, cut, _ = answer
                if type(reward) is not self._reward_type:
                    reward = self._reward(reward)
                rewards[index] = reward
                if end is not False or cut is not False:
                    end, cut = flag_of("terminated", end), flag_of("truncated", cut)
                    terminated[index], truncated[index] = end, cut
                # NumPy would fill a row with one number, and make numbers of objects and texts.
                kind = getattr(observation, "dtype", None)
                if kind is not self._observation_type or observation.shape != each:
                    self._check(observation)
                if end or cut:
                    finals[index] = np.array(observation, self._dtype)
                    doing = "reset"
                    observation = opened(self._reset_ended(index))
                    kind = getattr(observation, "dtype", None)
                    if kind is not self._observation_type or observation.shape != each:
                        self._check(observation)
                    doing = "step"
                observations[index] = observation
        except STOPS:
            raise
        except BaseException as error:
            cause = _explained(error, doing, answer)
            raise self.failure(cause, doing, actions, index) from cause
        self.observations = observations
        if not finals:
            return Step(observations, rewards, terminated, truncated, observations)
        next_observations = observations.copy()
        for index, final in finals.items():
            next_observations[index] = final
        return Step(observations, rewards, terminated, truncated, next_observations)

    def close(self) -> None:
        """Close all; what one raises then costs no run that is at its end, and is a warning."""
        for env in self._envs:
            try:
                env.close()
            except STOPS:
                raise
            except BaseException as error:
                said = f"{self.env_id} failed to close: {in_words(error)}"
                warnings.warn(said, RuntimeWarning, stacklevel=2)

    def _reward(self, value: Any) -> float:
        """A reward of another type than the last; later ones of its type are taken as they are."""
        number = reward_of(value)
        if isinstance(value, SCALARS):
            self._reward_type = type(value)
        return number

    def _check(self, observation: Any) -> None:
        """Check one of another type than the last; later ones of its type have the shape alone."""
        check_observation(observation, self._each, self._dtype)
        if isinstance(observation, np.ndarray) and self._dtype in (np.float32, observation.dtype):
            self._observation_type = observation.dtype


def _explained(error: BaseException, doing: str, answer: Any) -> BaseException:
    """The error itself, or where it comes from an answer that is none: one that says so."""
    if isinstance(error, AnswerError) or doing == "reset":
        return error
    if answer is None:
        if isinstance(error, ValueError) and "unpack (expected 5" in str(error):  # in a wrapper
            return AnswerError(f"answered a step with other values than gymnasium's five: {error}")
        return error
    try:
        check_answer(answer)
    except AnswerError as better:
        return better
    return error
