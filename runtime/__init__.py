"""The runtime of generated modules: environments, normalisers, checkpoints, evaluation, metrics."""

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
from ppoc.runtime.run.run import Checkpoint, Run

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
