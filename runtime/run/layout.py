"""Whether the tensors of a checkpoint are those that a module would have saved.

A checkpoint is data of anybody's. What is missing, too much, of another shape or type, or not
finite is told by its name before anything is computed with it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc.runtime.declared import agent_of
from ppoc.runtime.interface import AgentInterface, Rollouts
from ppoc.runtime.learning.normalize import RewardNormalizer
from ppoc.runtime.records.checkpoint import CheckpointError


class Expected(NamedTuple):
    """The shape and type that a tensor of a checkpoint must have; None is any length."""

    shape: tuple[int | None, ...]
    dtype: torch.dtype


class Groups(dict[str, dict[str, Tensor]]):
    """The tensors of a checkpoint by group and name; asking for what it lacks is a clear error."""

    def __init__(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        super().__init__()
        self.path = path
        for key, tensor in tensors.items():
            group, _, name = key.partition(".")
            self.setdefault(group, {})[name] = tensor

    def __missing__(self, group: str) -> dict[str, Tensor]:
        raise CheckpointError(f"{_lead(self.path)} lacks the group {group!r}, which its run saves")


def whole_steps(metadata: Mapping[str, Any], path: Path) -> int:
    """The environment steps that the metadata of a checkpoint tells, as the folder's name does.

    Raises:
        CheckpointError: it tells none, or others.
    """
    steps = metadata.get("steps")
    if type(steps) is not int or path.name != f"step-{steps:012d}":
        raise CheckpointError(
            f"{_lead(path)} says in its metadata that it has {str(steps)[:40]} steps"
        )
    return steps


def check_policy(module: ModuleType, groups: Groups) -> None:
    """Check what acting needs.

    Raises:
        CheckpointError: a tensor is missing, additional, of another shape or type, or not finite.
    """
    own = agent_of(module)
    _check(groups, "parameters", _parameters(own))
    if own.learning is None:
        _check(groups, "std", _parameters(own), least=0)
    if own.policy.new_normalizer is not None:
        state = own.policy.new_normalizer().state()
        _check(groups, "observations", _like(state), least={"var": 0, "count": 0})
    elif own.rollouts.normalizes:
        size = groups["observations"].get("mean", torch.zeros(0)).shape
        moments = dict.fromkeys(("mean", "var"), Expected(tuple(size), torch.float64))
        moments["count"] = Expected((), torch.int64)
        _check(groups, "observations", moments, least={"var": 0, "count": 0})


def check_training(module: ModuleType, groups: Groups, steps: int) -> None:
    """Check what a run goes on from: `check_policy`, the learner, statistics, and `steps`.

    Raises:
        CheckpointError: as `check_policy`, or the steps are not those of a whole iteration.
    """
    own = agent_of(module)
    _check_steps(own, groups.path, steps)
    check_policy(module, groups)
    if own.learning is not None:
        fields = own.learning.initial_learner(own.seed)._asdict()
        fields.pop("params")
        if fields:
            _check(groups, "optimizer", _like(fields), least={"v": 0, "step": 0})
    envs = own.rollouts.num_envs
    float64, int64 = torch.float64, torch.int64
    episodes = {
        "returns": Expected((None,), float64),
        "lengths": Expected((None,), int64),
        "count": Expected((), int64),
        "partial_returns": Expected((envs,), float64),
        "partial_lengths": Expected((envs,), int64),
    }
    _check(groups, "episodes", episodes, least={"lengths": 0, "count": 0, "partial_lengths": 0})
    if len(groups["episodes"]["returns"]) != len(groups["episodes"]["lengths"]):
        raise CheckpointError(f"{_lead(groups.path)} has other episodes' lengths than returns")
    if "rewards" in groups:
        state = RewardNormalizer(envs, 1.0, clip=1.0).state()
        _check(groups, "rewards", _like(state), least={"var": 0, "count": 0})
    if "adaptive" in groups:
        _check_finite(groups, "adaptive", {})
    if own.rollouts.kept:
        _check_buffer(own.rollouts, groups)
    _check_environments(own, groups)


def _check_environments(own: AgentInterface, groups: Groups) -> None:
    """Where the environments and the memories were; actions to replay are checked later."""
    envs = own.rollouts.num_envs
    if "memory" in groups:
        state = Expected((envs, own.policy.memory), torch.float32)
        _check(groups, "memory", {"starts": Expected((envs,), torch.bool), "state": state})
    if "environments" in groups and own.rollouts.new_episodes is not None:
        first = own.rollouts.new_episodes(torch.Generator())
        inner = Expected(tuple(first.inner.shape), torch.float32)
        elapsed = Expected((envs,), torch.int64)
        _check(groups, "environments", {"inner": inner, "elapsed": elapsed}, {"elapsed": 0})


def _check_steps(own: AgentInterface, path: Path, steps: int) -> None:
    each, most = own.rollouts.batch_size, own.total_steps["train"]
    if (steps % each and steps != most) or not 0 < steps <= most:
        raise CheckpointError(
            f"{_lead(path)} is of step {steps:,}, and the module saves at multiples of {each:,} "
            f"up to {most:,}"
        )


def _check_buffer(own: Rollouts, groups: Groups) -> None:
    """Earlier rollouts [K, T, N, …], as many of each field."""
    found = groups["buffer"]
    fields = own.experience._fields
    if set(found) != set(fields):
        raise CheckpointError(f"{_lead(groups.path)}: its buffer must have {', '.join(fields)}")
    rollouts = len(found["rewards"]) if found["rewards"].dim() else 0
    shape = (rollouts, own.length, own.num_envs)
    for name, tensor in found.items():
        if tuple(tensor.shape[:3]) != shape or not 0 < rollouts <= own.kept:
            raise CheckpointError(
                f"{_lead(groups.path)}: buffer.{name} is {list(tensor.shape)}; expected up to "
                f"{own.kept} rollouts of [{shape[1]}, {shape[2]}]"
            )


def _parameters(own: AgentInterface) -> dict[str, Expected]:
    return {name: Expected(shape, torch.float32) for name, shape in own.policy.shapes.items()}


def _like(state: Mapping[str, Any]) -> dict[str, Expected]:
    """The shapes and types that tensors like these must have."""
    tensors = {name: torch.as_tensor(np.asarray(value)) for name, value in state.items()}
    return {name: Expected(tuple(x.shape), x.dtype) for name, x in tensors.items()}


def _check(
    groups: Groups,
    group: str,
    expected: Mapping[str, Expected],
    least: Mapping[str, float] | float | None = None,
) -> None:
    """Check a group against what is expected; `least` bounds values, by name or all of them."""
    found = groups[group]
    for name, want in expected.items():
        lead = f"{_lead(groups.path)}: {group}.{name}"
        if name not in found:
            raise CheckpointError(f"{lead} is missing; expected {_said(want)}")
        have = Expected(tuple(found[name].shape), found[name].dtype)
        if have.dtype != want.dtype or not _fits(have.shape, want.shape):
            raise CheckpointError(f"{lead} is {_said(have)}; expected {_said(want)}")
    extra = next(iter(found.keys() - expected.keys()), None)
    if extra is not None:
        raise CheckpointError(
            f"{_lead(groups.path)} has {group}.{extra[:80]}, which its module does not have"
        )
    bounds = least if isinstance(least, Mapping) else dict.fromkeys(expected, least)
    _check_finite(groups, group, bounds)


def _check_finite(groups: Groups, group: str, bounds: Mapping[str, float | None]) -> None:
    for name, tensor in groups[group].items():
        lead = f"{_lead(groups.path)}: {group}.{name}"
        wrong = int((~tensor.isfinite()).sum()) if tensor.is_floating_point() else 0
        if wrong:
            raise CheckpointError(f"{lead} has {wrong:,} values that are NaN or infinite")
        bound = bounds.get(name)
        if bound is not None and tensor.numel() and float(tensor.min()) < bound:
            raise CheckpointError(f"{lead} has values below {bound:g}")


def _fits(shape: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        want is None or have == want for have, want in zip(shape, expected, strict=True)
    )


def _said(tensor: Expected) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in tensor.shape)
    return f"{str(tensor.dtype).removeprefix('torch.')} [{sizes}]"


def _lead(path: Path) -> str:
    return f"the checkpoint {path}"
