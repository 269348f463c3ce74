"""The numbers that pass between a policy and its environments, looked at before they are used."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs.answers import shortened
from ppoc.runtime.envs.declared import warn_outside
from ppoc.runtime.envs.vector import EnvironmentFailure, Floats, Step

Arrays = Mapping[str, NDArray[Any]]
SMALL = 4096  # numbers


class _Named(Protocol):
    """A NamedTuple of arrays, time and environment first."""

    def _asdict(self) -> dict[str, NDArray[Any]]: ...


# In the order in which a step comes to have them: what is wrong first makes the others so.
NAMES = {
    "observations": "{} gave an observation",
    "actions": "the policy gave an action",
    "rewards": "{} gave a reward",
    "next_observations": "{} gave an observation",
}


def check_rollout(env_id: str, rollout: _Named) -> None:
    """Look at all numbers of a rollout, whose arrays are [T, N, …].

    Raises:
        EnvironmentFailure: one is not finite; it says which came first, and who gave it.
    """
    given = rollout._asdict()
    arrays = {name: given[name] for name in NAMES if name in given}
    if not all(map(_finite, arrays.values())):
        steps = len(arrays["rewards"])
        place = f"at step {{}} of {steps} of this rollout, {{}}; nothing was learnt from it"
        raise _failure(env_id, arrays, place)
    warn_outside(env_id, arrays["observations"])


def check_reset(observations: Floats) -> None:
    """Look at the observations [N, …] that an evaluation begins with.

    Raises:
        EnvironmentFailure: as `check_rollout`.
    """
    if not _finite(observations):
        arrays = {"observations": observations[None]}
        raise _failure("the environment", arrays, "at the first reset, {1}")


def check_step(t: int, actions: NDArray[Any], step: Step) -> None:
    """Look at the numbers of step `t`, counted from 0, of an evaluation.

    Raises:
        EnvironmentFailure: as `check_rollout`.
    """
    arrays = {
        "actions": actions,
        "rewards": step.rewards,
        "next_observations": step.next_observations,
        "observations": step.observations,  # after a reset, where an episode ended
    }
    if not all(map(_finite, arrays.values())):
        arrays = {name: array[None] for name, array in arrays.items()}
        raise _failure("the environment", arrays, f"at step {t + 1} of the evaluation, {{1}}")


def _failure(env_id: str, arrays: Arrays, place: str) -> EnvironmentFailure:
    """An error about the first number in time that is not finite.

    Args:
        arrays: [T, N, …] by the names in NAMES, in the order in which a step comes to have them.
        place: says the step and the environment, which it is formatted with.
    """
    t, rank, env, component = min(
        (t, rank, env, component)
        for rank, array in enumerate(arrays.values())
        for t, env, *component in np.argwhere(~np.isfinite(array)).tolist()
    )
    name, array = list(arrays.items())[rank]
    inside = f" in component {', '.join(map(str, component))}" if component else ""
    said = f"{NAMES[name].format(env_id)} of {array[t, env, *component]}{inside}"
    where = f"in environment {env + 1} of {array.shape[1]}"
    failure = EnvironmentFailure(f"{said}, {place.format(t + 1, where)}")
    failure.add_note(f"environment: index {env}, of {array.shape[1]}")
    if "actions" in arrays:
        failure.add_note(f"action at that step: {shortened(arrays['actions'][t, env])}")
    return failure


def _finite(array: NDArray[Any]) -> bool:
    if array.dtype.kind != "f":
        return True
    # One number, which a NaN or an infinity passes through, costs a third of looking at each; that
    # of `vdot` half of a sum's, where it takes no second thread.
    if array.size <= SMALL:
        return math.isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())
