"""The runtime of generated modules: environments, normalisers, checkpoints, evaluation, metrics.

Each name is imported when it is first asked for, so that who reads a run's files needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppoc.runtime.envs import tensor_envs
    from ppoc.runtime.envs.guard import check_rollout
    from ppoc.runtime.envs.make import make as make_envs
    from ppoc.runtime.envs.replay import ActionReplayEnv
    from ppoc.runtime.envs.seeds import derive_seed
    from ppoc.runtime.envs.vector import VectorEnv
    from ppoc.runtime.evaluation.episodes import EpisodeTracker
    from ppoc.runtime.evaluation.evaluate import RecurrentPolicy
    from ppoc.runtime.interface import (
        AgentInterface,
        Environment,
        Evaluation,
        Learning,
        Policy,
        Rollouts,
    )
    from ppoc.runtime.learning import tensor_statistics
    from ppoc.runtime.learning.activations import elu, gelu, leaky_relu, silu, softplus
    from ppoc.runtime.learning.adaptive import follow_kl
    from ppoc.runtime.learning.bounds import share_at_bound
    from ppoc.runtime.learning.custom import CustomBody
    from ppoc.runtime.learning.gamma import gamma, gamma_noise
    from ppoc.runtime.learning.normalize import ObservationNormalizer, RewardNormalizer
    from ppoc.runtime.learning.parameters import (
        as_arrays,
        flatten,
        kaiming,
        orthogonal,
        unflatten,
        uniform,
        xavier,
    )
    from ppoc.runtime.learning.structure import move, padded
    from ppoc.runtime.run.launch import main
    from ppoc.runtime.run.run import Run
    from ppoc.runtime.run.saving import Checkpoint

__all__ = [
    "ActionReplayEnv",
    "AgentInterface",
    "Checkpoint",
    "CustomBody",
    "Environment",
    "EpisodeTracker",
    "Evaluation",
    "Learning",
    "ObservationNormalizer",
    "Policy",
    "RecurrentPolicy",
    "RewardNormalizer",
    "Rollouts",
    "Run",
    "VectorEnv",
    "as_arrays",
    "check_rollout",
    "derive_seed",
    "elu",
    "flatten",
    "follow_kl",
    "gamma",
    "gamma_noise",
    "gelu",
    "kaiming",
    "leaky_relu",
    "main",
    "make_envs",
    "move",
    "orthogonal",
    "padded",
    "share_at_bound",
    "silu",
    "softplus",
    "tensor_envs",
    "tensor_statistics",
    "unflatten",
    "uniform",
    "xavier",
]

_PLACES = {
    "envs": ["tensor_envs"],
    "envs.guard": ["check_rollout"],
    "envs.make": ["make_envs"],
    "envs.replay": ["ActionReplayEnv"],
    "envs.seeds": ["derive_seed"],
    "envs.vector": ["VectorEnv"],
    "evaluation.episodes": ["EpisodeTracker"],
    "evaluation.evaluate": ["RecurrentPolicy"],
    "interface": ["AgentInterface", "Environment", "Evaluation", "Learning", "Policy", "Rollouts"],
    "learning": ["tensor_statistics"],
    "learning.activations": ["elu", "gelu", "leaky_relu", "silu", "softplus"],
    "learning.adaptive": ["follow_kl"],
    "learning.bounds": ["share_at_bound"],
    "learning.custom": ["CustomBody"],
    "learning.gamma": ["gamma", "gamma_noise"],
    "learning.normalize": ["ObservationNormalizer", "RewardNormalizer"],
    "learning.parameters": [
        "as_arrays",
        "flatten",
        "kaiming",
        "orthogonal",
        "unflatten",
        "uniform",
        "xavier",
    ],
    "learning.structure": ["move", "padded"],
    "run.launch": ["main"],
    "run.run": ["Run"],
    "run.saving": ["Checkpoint"],
}
_HOMES = {name: place for place, names in _PLACES.items() for name in names}
_ELSEWHERE = {"make_envs": "make"}  # names that their modules do not use


def __getattr__(name: str) -> Any:
    """A name of `__all__`, from its module; raises AttributeError where there is none."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place, there = f"{__name__}.{_HOMES[name]}", _ELSEWHERE.get(name, name)
    if name in ("tensor_envs", "tensor_statistics"):
        found: Any = import_module(f"{place}.{name}")
    else:
        found = getattr(import_module(place), there)
    globals()[name] = found
    return found
