"""Evidence of an update that diverged, so that it can be looked at and made again.

Updates are compiled and many, so none is checked: the metrics of an iteration say that one of them
went wrong. Its learner, batch and minibatches are still there, by reference, since an update
changes nothing in place; they are gone through once more to find the first that went wrong.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ppoc.runtime.errors import RunError
from ppoc.runtime.health.symptoms import EXPLODED_KL
from ppoc.runtime.learning.structure import flat
from ppoc.runtime.records import checkpoint as checkpoints

FOLDER = "failure"
MAX_ROLLBACKS = 3
WATCHED = ("loss", "policy_loss", "value_loss", "grad_norm", "entropy", "approx_kl")
LIMITS = {"approx_kl": EXPLODED_KL}


class DivergenceError(RunError):
    """A loss, a gradient or the KL divergence that learning cannot go on from.

    Attributes:
        rolls_back: whether the spec wants to go back to the last checkpoint, and it still may.
        rollbacks: how often the run has done so.
    """

    def __init__(self, text: str, rolls_back: bool = False, rollbacks: int = 0) -> None:
        if rolls_back and rollbacks >= MAX_ROLLBACKS:
            text += f"\nthe run went back {rollbacks} times, which is as often as it may"
        super().__init__(text)
        self.rolls_back = rolls_back and rollbacks < MAX_ROLLBACKS
        self.rollbacks = rollbacks


def rollbacks_of(metadata: Mapping[str, Any], path: Path) -> int:
    """How often the run of a checkpoint had gone back.

    Raises:
        CheckpointError: that is no such number.
    """
    count = metadata.get("rollbacks", 0)
    if type(count) is not int or not 0 <= count <= MAX_ROLLBACKS:
        raise checkpoints.CheckpointError(
            f"the checkpoint {path} says {count!r} rollbacks: expected 0 to {MAX_ROLLBACKS}"
        )
    return count


def offence(
    metrics: Mapping[str, float], limits: Mapping[str, float] = LIMITS
) -> tuple[str, float] | None:
    """The metric, and its value, that says that an iteration diverged; None if none does.

    Args:
        limits: metric → what it may be at most.
    """
    for name in WATCHED:
        value = metrics.get(name, 0.0)
        if not math.isfinite(value) or value > limits.get(name, math.inf):
            return name, value
    return None


def not_finite(tensor: Tensor | NDArray[Any]) -> float | None:
    """An element that is NaN or infinite; None if there is none."""
    tensor = torch.as_tensor(tensor)
    if not tensor.is_floating_point():
        return None
    finite = tensor.isfinite()
    return None if bool(finite.all()) else float(tensor[~finite][0])


class UpdateLog:
    """An update that remembers what it was called with in the iteration under way."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._learner: Any = None
        self._after: Any = None
        self._calls: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> Any:
        if not self._calls:
            self._learner = arguments[0]
        self._calls.append(arguments[1:])
        result = self._step(*arguments)
        self._after = result[0]
        return result

    def forget(self) -> None:
        """Begin the next iteration."""
        self._learner = self._after = None
        self._calls.clear()

    @property
    def lost(self) -> float | None:
        """A parameter after the last update that is not finite; None if all of them are.

        The metrics of an update are of the parameters before it, so that of the last one in an
        iteration they say nothing.
        """
        return None if self._after is None else not_finite(self._after.params)

    def dump(
        self, module: ModuleType, folder: Path, step: int, metric: str, value: float
    ) -> Path | None:
        """Keep the first update that diverged in `folder`/failure; None if each is well by itself.

        What is kept are the learner before the update, the minibatch and the other arguments.

        Raises:
            OSError: it cannot be written.
        """
        offending = self._first(module.METRICS)
        if offending is None:
            return None
        number, learner, arguments = offending
        names = inspect.signature(module.update).parameters
        given = dict(zip(names, (learner, *arguments), strict=True))
        rows = given.pop("indices")
        batch = given.pop("batch")
        given["batch"] = type(batch)(*(column[rows] for column in batch))
        metadata = {
            "metric": metric,
            "value": value,
            "update": number,
            "updates": len(self._calls),
        }
        return checkpoints.save(folder / FOLDER, step, _named(given), metadata, keep=None)

    def _first(self, names: tuple[str, ...]) -> tuple[int, Any, tuple[Any, ...]] | None:
        """The first update that diverged: which it was, the learner before it, its arguments."""
        learner = self._learner
        for number, arguments in enumerate(self._calls, 1):
            after, *others = self._step(learner, *arguments)
            if _diverged(after, others[-1], names):
                return number, learner, arguments
            learner = after
        return None


def _named(arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors by `argument`, or `argument.field` of those that are NamedTuples."""
    named: dict[str, Tensor] = {}
    for name, value in arguments.items():
        if isinstance(value, Tensor):
            named[f"argument.{name}"] = value
        else:
            named |= {f"{name}.{field}": tensor for field, tensor in value._asdict().items()}
    return named


def _diverged(learner: Any, metrics: Tensor, names: tuple[str, ...]) -> bool:
    if any(not_finite(tensor) is not None for tensor in flat([learner, metrics])):
        return True
    return "approx_kl" in names and float(metrics[names.index("approx_kl")]) > EXPLODED_KL
