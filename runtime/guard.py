"""The numbers of a rollout, looked at before anything is learnt from them."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ppoc.runtime.envs import EnvironmentFailure


class _Named(Protocol):
    """A NamedTuple of arrays, time and environment first."""

    def _asdict(self) -> dict[str, NDArray[Any]]: ...


NAMES = {
    "actions": "the policy gave an action",
    "rewards": "{} gave a reward",
    "observations": "{} gave an observation",
    "next_observations": "{} gave an observation",
}


def check_rollout(env_id: str, rollout: _Named) -> None:
    """Look at all numbers of a rollout, whose arrays are [T, N, …].

    Raises:
        EnvironmentFailure: one is not finite; it says which, and who gave it.
    """
    arrays = rollout._asdict()
    for name, said in NAMES.items():
        if name in arrays and not _finite(arrays[name]):
            where = np.argwhere(~np.isfinite(arrays[name]))[0]
            t, env, *rest = (int(i) for i in where)
            value = arrays[name][tuple(where)]
            place = f" in component {', '.join(map(str, rest))}" if rest else ""
            raise EnvironmentFailure(
                f"{said.format(env_id)} of {value}{place}, at step {t + 1} of {len(arrays[name])} "
                f"of this rollout, in environment {env + 1} of {arrays[name].shape[1]}; nothing "
                "was learnt from it"
            )


def _finite(array: NDArray[Any]) -> bool:
    # One sum, which a NaN or an infinity passes through, costs a third of looking at each number.
    if array.dtype.kind != "f":
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())
