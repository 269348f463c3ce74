"""Environments whose failures say where they were: which one, at which step, after which action."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs.answers import in_words, shortened
from ppoc.runtime.envs.observations import AnswerError
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.envs.vector import (
    STOPS,
    EnvironmentFailure,
    Episodes,
    Flags,
    Floats,
    Running,
    Step,
    VectorEnv,
)


class Located(ABC):
    """Where vector environments are, and what they tell of a failure with it.

    Attributes:
        seed: of the last reset.
        count: steps since then.
        observations: the last that they gave, [N, …]; None before the first reset.
    """

    def __init__(self, env_id: str, num_envs: int) -> None:
        self.env_id, self.num_envs = env_id, num_envs
        self.seed = self.count = 0
        self.observations: Floats | None = None

    @property
    @abstractmethod
    def running(self) -> Running: ...

    def failure(
        self,
        cause: BaseException,
        doing: str,
        actions: NDArray[Any] | None = None,
        index: int | None = None,
    ) -> EnvironmentFailure:
        """The failure to raise for an error, with notes that say what makes it happen again.

        An observation or an action that is no number is blamed before what came of it.

        Args:
            doing: `step` or `reset`.
            actions: [N, …], which were to be taken.
            index: of the environment, where that is known.
        """
        failure = EnvironmentFailure(self._text(cause, index, doing, actions))
        for note in self._notes(index, actions):
            failure.add_note(note)
        return failure

    def _text(
        self, cause: BaseException, index: int | None, doing: str, actions: NDArray[Any] | None
    ) -> str:
        if isinstance(cause, EnvironmentFailure):
            return str(cause)
        place = f"at step {self.count:,} after the reset" if self.count else "at the first reset"
        if index is not None:
            place = f"in environment {index + 1} of {self.num_envs}, {place}"
            if doing == "reset" and self.count:
                place += ", where an episode ended"
        if isinstance(cause, AnswerError):
            return f"{self.env_id} {cause}; {place}"
        failed = f"{self.env_id} failed to {doing}: {in_words(cause)}"
        given = f"and then {failed}"
        if (found := not_finite(self.observations, index)) is not None:
            return f"{self.env_id} gave an observation of {found}, {given}; {place}"
        if (found := not_finite(actions, index)) is not None:
            return f"the policy gave an action of {found}, {given}; {place}"
        return f"{failed}; {place}"

    def _notes(self, index: int | None, actions: NDArray[Any] | None) -> list[str]:
        if index is None:
            notes = [
                f"environment: one of {self.num_envs}; what steps them does not say which",
                f"seed of their reset: {self.seed}",
                f"steps since then: {self.count}",
            ]
            given = actions
        else:
            seed, episodes, lengths = self.running
            notes = [
                f"environment: index {index}, of {self.num_envs}",
                f"seed of its episode: {episode_seed(seed, index, int(episodes[index]))}",
                f"steps of its episode: {lengths[index]}",
            ]
            given = actions if actions is None else actions[index]
        if given is not None:
            notes.append(f"action: {shortened(given)}")
        return notes


class LocatedEnvs(Located):
    """A `VectorEnv` around one that does not say itself where it failed.

    Raises:
        EnvironmentFailure: in `reset` and `step`, whatever is raised there.
    """

    def __init__(self, envs: VectorEnv, env_id: str) -> None:
        super().__init__(env_id, envs.num_envs)
        self.observation_space, self.action_space = envs.observation_space, envs.action_space
        self.announced = envs.announced
        self._envs = envs

    @property
    def running(self) -> Running:
        return self._envs.running

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        self.seed, self.count, self.observations = seed, 0, None
        try:
            self.observations = self._envs.reset(seed, episodes)
        except STOPS:
            raise
        except BaseException as error:
            raise self.failure(error, "reset") from error
        return self.observations

    def restart(self, where: Flags, observations: Floats) -> Floats:
        try:
            self.observations = self._envs.restart(where, observations)
        except STOPS:
            raise
        except BaseException as error:
            raise self.failure(error, "reset") from error
        return self.observations

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        self.count += 1
        try:
            step = self._envs.step(actions, where)
        except STOPS:
            raise
        except BaseException as error:
            raise self.failure(error, "step", actions) from error
        self.observations = step.observations
        return step

    def close(self) -> None:
        self._envs.close()


def not_finite(array: NDArray[Any] | None, index: int | None) -> str | None:
    """The first number of an array [N, …] that is none, and its component; of one row, if given."""
    if array is None or array.dtype.kind != "f":
        return None
    rows = array if index is None else array[index : index + 1]
    places = np.argwhere(~np.isfinite(rows))
    if not len(places):
        return None
    where = tuple(int(i) for i in places[0])
    inside = f" in component {', '.join(map(str, where[1:]))}" if len(where) > 1 else ""
    return f"{rows[where]}{inside}"
