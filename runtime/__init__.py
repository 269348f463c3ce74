"""What a generated module calls: environments, normalisers, checkpoints, metrics, evaluation."""

from ppoc.runtime.activations import elu, silu
from ppoc.runtime.adaptive import follow_kl
from ppoc.runtime.envs import VectorEnv
from ppoc.runtime.envs import make as make_envs
from ppoc.runtime.episodes import EpisodeTracker
from ppoc.runtime.launch import main
from ppoc.runtime.normalize import ObservationNormalizer, RewardNormalizer
from ppoc.runtime.parameters import as_arrays, flatten, orthogonal, unflatten, uniform
from ppoc.runtime.run import Checkpoint, Run, derive_seed
from ppoc.runtime.structure import move

__all__ = [
    "Checkpoint",
    "EpisodeTracker",
    "ObservationNormalizer",
    "RewardNormalizer",
    "Run",
    "VectorEnv",
    "as_arrays",
    "derive_seed",
    "elu",
    "flatten",
    "follow_kl",
    "main",
    "make_envs",
    "move",
    "orthogonal",
    "silu",
    "unflatten",
    "uniform",
]
