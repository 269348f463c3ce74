"""The runtime of generated modules: environments, normalisers, checkpoints, evaluation, metrics."""

from ppoc.runtime.activations import elu, gelu, leaky_relu, silu, softplus
from ppoc.runtime.adaptive import follow_kl
from ppoc.runtime.bounds import share_at_bound
from ppoc.runtime.custom import CustomBody
from ppoc.runtime.envs import VectorEnv
from ppoc.runtime.envs import make as make_envs
from ppoc.runtime.episodes import EpisodeTracker
from ppoc.runtime.evaluate import RecurrentPolicy
from ppoc.runtime.gamma import gamma, gamma_noise
from ppoc.runtime.guard import check_rollout
from ppoc.runtime.launch import main
from ppoc.runtime.normalize import ObservationNormalizer, RewardNormalizer
from ppoc.runtime.parameters import (
    as_arrays,
    flatten,
    kaiming,
    orthogonal,
    unflatten,
    uniform,
    xavier,
)
from ppoc.runtime.replay import Recorder
from ppoc.runtime.run import Checkpoint, Run, derive_seed
from ppoc.runtime.structure import move, padded

__all__ = [
    "Checkpoint",
    "CustomBody",
    "EpisodeTracker",
    "ObservationNormalizer",
    "Recorder",
    "RecurrentPolicy",
    "RewardNormalizer",
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
    "unflatten",
    "uniform",
    "xavier",
]
