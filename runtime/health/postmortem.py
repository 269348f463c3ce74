"""An update that diverged, made again by the module's own `update`, in float32 and in float64."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ppoc.runtime.health.divergence import FOLDER
from ppoc.runtime.health.symptoms import EXPLODED_KL
from ppoc.runtime.records import checkpoint as checkpoints


class TensorReport(NamedTuple):
    """A tensor of an update, in numbers."""

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    not_finite: int
    """How many of its elements are NaN or infinite."""


class Replay(NamedTuple):
    """An update that was made again in one precision."""

    dtype: str
    tensors: list[TensorReport]
    """Inputs, then what `update` returned."""
    metrics: dict[str, float]
    first: str | None
    """The operation that gave the first number that is not finite, and what it was given."""

    @property
    def diverged(self) -> bool:
        """Whether the update diverged this time too."""
        exploded = self.metrics.get("approx_kl", 0.0) > EXPLODED_KL
        return exploded or any(tensor.not_finite for tensor in self.tensors)


class _FirstNotFinite(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the first operation whose result is not finite."""

    found: str | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.found is None and any(map(_not_finite, tree_leaves(result))):
            inputs = [_range(x) for x in tree_leaves(args) if isinstance(x, Tensor)]
            self.found = f"{func.overloadpacket.__name__} of {', '.join(inputs) or 'nothing'}"
        return result


def dumps(folder: Path) -> list[Path]:
    """The updates that were kept in a run folder, oldest first."""
    return sorted(path.parent for path in folder.glob(f"{FOLDER}/step-*/{checkpoints.DOCUMENT}"))


def replay(module: ModuleType, dump: Path) -> Iterator[Replay]:
    """Make the update of a dump again, in float32 and then in float64.

    Raises:
        CheckpointError: the dump is damaged, or is none of an update of this module.
    """
    tensors, _ = checkpoints.load(dump)
    for dtype in (torch.float32, torch.float64):
        try:
            yield _replay(module, tensors, dtype)
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            raise checkpoints.CheckpointError(
                f"{dump} is no update of this module: {str(error).partition(chr(10))[0]}"
            ) from error


def _replay(module: ModuleType, tensors: dict[str, Tensor], dtype: torch.dtype) -> Replay:
    given = {
        name: tensor.to(dtype) if tensor.dtype == torch.float32 else tensor
        for name, tensor in tensors.items()
    }
    learner = module.TrainState(**_group(given, "learner"))
    batch = module.Batch(**_group(given, "batch"))
    arguments = {
        "indices": torch.arange(len(batch[0])),
        **_group(given, "argument"),
    }
    with _FirstNotFinite() as mode:  # type: ignore[no-untyped-call]
        after, *others = module.update(learner, batch, **arguments)
    metrics = dict(zip(module.METRICS, others[-1].tolist(), strict=True))
    named = {**_parameters(module, given, "before"), **_group(given, "batch")}
    result = {f"learner.{k}": v for k, v in after._asdict().items()}
    named |= _parameters(module, result, "after")
    reports = [_report(name, x) for name, x in named.items() if x.is_floating_point()]
    return Replay(str(dtype).removeprefix("torch."), reports, metrics, mode.found)


def _group(tensors: dict[str, Tensor], group: str) -> dict[str, Tensor]:
    start = f"{group}."
    return {k.removeprefix(start): x for k, x in tensors.items() if k.startswith(start)}


def _parameters(module: ModuleType, tensors: dict[str, Tensor], when: str) -> dict[str, Tensor]:
    """The learner's tensors, its parameters by their names."""
    learner = _group(tensors, "learner")
    p = module.runtime.unflatten(learner.pop("params"), module.SHAPES)
    return {f"{name} {when}": tensor for name, tensor in (p | learner).items()}


def _report(name: str, tensor: Tensor) -> TensorReport:
    finite = tensor[torch.isfinite(tensor)]
    low, high = (finite.min().item(), finite.max().item()) if len(finite) else (0.0, 0.0)
    return TensorReport(name, tuple(tensor.shape), low, high, tensor.numel() - len(finite))


def _not_finite(value: Any) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return False
    return not bool(torch.isfinite(value).all())


def _range(tensor: Tensor) -> str:
    report = _report("", tensor.detach())
    bad = f", {report.not_finite} not finite" if report.not_finite else ""
    return f"{list(report.shape)} in [{report.low:.4g}, {report.high:.4g}]{bad}"
