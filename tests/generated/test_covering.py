"""Pairs of the language's options: each that makes sense runs, each that does not is refused.

`legal` says independently of the compiler which combinations make sense.
"""

import json
import math

import gymnasium
import numpy as np
import pytest
from allpairspy import AllPairs
from gymnasium import spaces

from ppoc.compiler.build import compile_spec
from ppoc.compiler.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.runtime.launch import execute, load_module

ACTIONS = {
    "Discrete": spaces.Discrete(3),
    "DiscreteFromOne": spaces.Discrete(3, start=1),
    "MultiDiscrete": spaces.MultiDiscrete([2, 3]),
    "MultiBinary": spaces.MultiBinary([2, 2]),
    "Box": spaces.Box(-2, 1, (2, 1), np.float32),
    "Unbounded": spaces.Box(-np.inf, np.inf, (2,), np.float32),
}
OBSERVATIONS = {
    "Vector": spaces.Box(-1, 1, (3,), np.float32),
    "Choice": spaces.Discrete(4),
    "Dict": spaces.Dict({"x": spaces.Box(-1, 1, (2, 2), np.float32), "y": spaces.Discrete(2)}),
    "Bytes": spaces.Box(0, 255, (36, 40, 3), np.uint8),
    "Planes": spaces.Box(0, 1, (2, 36, 40), np.float32),
    "Screen": spaces.Box(0, 255, (36, 40), np.uint8),
}


class Toy(gymnasium.Env):
    """Random observations of a space; pays for an early choice, and ends both ways."""

    def __init__(self, actions: str, observations: str) -> None:
        self.action_space = ACTIONS[actions]
        self.observation_space = OBSERVATIONS[observations]
        self._steps = 0

    def _observation(self):
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._observation(), {}

    def step(self, action):
        assert self.action_space.contains(action), (action, self.action_space)
        self._steps += 1
        reward = float(np.mean(np.clip(action, -1, 1)))
        cut = self._steps >= 9
        return self._observation(), reward, bool(self.np_random.random() < 0.1), cut, {}

    def action_masks(self):
        sizes = getattr(self.action_space, "nvec", [getattr(self.action_space, "n", 1)])
        return [np.ones(n, np.int8) for n in np.ravel(sizes)]


for _actions in ACTIONS:
    for _observations in OBSERVATIONS:
        gymnasium.register(
            f"Toy{_actions}{_observations}-v0",
            Toy,
            kwargs={"actions": _actions, "observations": _observations},
        )

POINTS = [[0.0, 0.5], [0.6, 1.0], [1.0, 0.1]]
OPTIONS = {
    "actions": [*ACTIONS],
    "observations": [*OBSERVATIONS],
    "algorithm": ["ppo", "a2c", "trpo", "buffer", "ratio-buffer"],
    "estimator": ["gae", "q", "reward-to-go", "return"],
    "baseline": ["none", "mean"],
    "body": ["mlp", "cnn", "nature-cnn", "impala-cnn"],
    "memory": [None, "lstm", "gru"],
    "critic_memory": [None, "lstm"],
    "share": [None, "body", "actor"],
    "layers": [1, 0],
    "distribution": ["gaussian", "tanh-gaussian", "beta"],
    "std": ["independent", "state-dependent", "gsde"],
    "resample_every": [None, 3],
    "init": ["orthogonal", "xavier", "kaiming", "default"],
    "activation": ["tanh", "relu", "elu", "silu", "gelu", "leaky_relu"],
    "optimizer": ["adam", "adamw", "rmsprop", "sgd"],
    "rates": ["one", "two"],
    "schedule": ["constant", "linear", "cosine", POINTS],
    "critic_schedule": ["constant", "linear", "cosine"],
    "loss_schedule": ["constant", "linear", "cosine", POINTS],
    "normalize_observations": [False, True],
    "normalize_rewards": [False, True],
    "normalize_advantages": [False, True],
    "sampling": ["rollout", "episodes"],
    "target_kl": [None, 0.02],
    "value_clip": [None, 0.2],
    "entropy": [0.0, 0.01],
    "max_grad_norm": [None, 0.5],
    "action_masks": [False, True],
    "frame_stack": [1, 2],
    "frame_skip": [1, 2],
    "evaluate": [None, 256],
    "deterministic": [True, False],
    "epochs": [1, 2],
    "minibatch": ["all", 32],
}
# Combinations that make no sense, one a line; a case may be unfinished.
FORBIDDEN = (
    # Images and bodies
    lambda c: c.other("body", "mlp") and c.any("observations", "Vector", "Choice", "Dict"),
    lambda c: c.other("body", "mlp") and c.any("normalize_observations", True),
    # Memory
    lambda c: c.any("memory", None) and c.other("critic_memory", None),
    lambda c: c.other("memory", None) and c.any("algorithm", "trpo", "buffer", "ratio-buffer"),
    lambda c: c.other("memory", None) and c.any("estimator", "q"),
    lambda c: c.other("memory", None) and c.any("action_masks", True),
    lambda c: (
        c.other("memory", None)
        and c.any("share", None)
        and c.other("body", "mlp")
        and c.any("estimator", "gae", "q")
    ),
    # A critic, and what it shares
    lambda c: c.any("estimator", "reward-to-go", "return") and c.other("critic_memory", None),
    lambda c: c.any("estimator", "reward-to-go", "return") and c.other("share", None),
    lambda c: c.other("share", None) and c.other("critic_memory", None),
    lambda c: c.any("share", "body") and c.any("body", "mlp") and c.any("memory", None),
    lambda c: (
        c.any("share", "actor")
        and c.any("body", "mlp")
        and c.any("memory", None)
        and c.any("layers", 0)
    ),
    # Estimators and methods
    lambda c: c.any("estimator", "reward-to-go", "return") and c.any("sampling", "rollout"),
    lambda c: c.any("estimator", "gae") and c.any("baseline", "mean"),
    lambda c: c.any("estimator", "q") and c.any("actions", "MultiDiscrete", "MultiBinary"),
    lambda c: c.any("estimator", "q") and c.any("distribution", "tanh-gaussian", "beta"),
    lambda c: c.any("estimator", "q") and c.any("std", "state-dependent", "gsde"),
    lambda c: c.any("algorithm", "buffer") and c.any("estimator", "return"),
    lambda c: c.any("algorithm", "ratio-buffer") and c.any("estimator", "return", "reward-to-go"),
    lambda c: c.any("algorithm", "trpo") and c.any("estimator", "return", "reward-to-go"),
    lambda c: c.any("algorithm", "trpo") and c.other("share", None),
    lambda c: c.any("algorithm", "trpo") and c.other("target_kl", None),
    lambda c: c.any("algorithm", "trpo") and c.other("loss_schedule", "constant"),
    # Distributions
    lambda c: c.other("distribution", "gaussian") and c.choices(),
    lambda c: c.other("std", "independent") and c.choices(),
    lambda c: c.other("resample_every", None) and c.other("std", "gsde"),
    lambda c: c.other("distribution", "gaussian") and c.any("actions", "Unbounded"),
    lambda c: c.any("distribution", "beta") and c.other("std", "independent"),
    # Masks
    lambda c: c.any("action_masks", True) and c.other("body", "mlp"),
    lambda c: c.any("action_masks", True) and c.other("share", None),
    lambda c: c.any("action_masks", True) and c.any("frame_stack", 2),
    lambda c: c.any("action_masks", True) and c.any("actions", "MultiBinary", "Box", "Unbounded"),
)


class Case(dict):
    """Values of options, some of which may not be chosen yet."""

    def any(self, key, *values):
        return key in self and self[key] in values

    def other(self, key, value):
        return key in self and self[key] != value

    def choices(self):
        return "actions" in self and self["actions"] not in ("Box", "Unbounded")


def legal(values):
    """Whether a case, or the values chosen so far, makes sense."""
    case = Case(zip(OPTIONS, values, strict=False))
    return not any(rule(case) for rule in FORBIDDEN)


def spec_of(case):
    """The text of a case's spec."""
    critic = None
    body = {"body": case["body"], "init": case["init"], "activation": case["activation"]}
    body |= {"layers": [8] * case["layers"]}
    body |= {"convolutions": [[4, 5, 3], [6, 3, 2]]} if case["body"] == "cnn" else {}
    body |= {"features": 16} if case["body"] != "mlp" else {}
    actor = body | {"memory": {"kind": case["memory"], "size": 6} if case["memory"] else None}
    for key in ("distribution", "std", "resample_every"):
        actor |= {key: case[key]} if case[key] != OPTIONS[key][0] else {}
    if case["estimator"] in ("gae", "q") or case["share"] or case["critic_memory"]:
        critic = {"share": case["share"]} if case["share"] else dict(body)
        critic |= {"memory": {"kind": "lstm", "size": 5}} if case["critic_memory"] else {}
        critic |= {"layers": [7]} if case["share"] == "body" else {}
    rates = {"kind": case["optimizer"], "lr": 1e-4, "schedule": case["schedule"]}
    other = {"lr": 2e-4, "schedule": case["critic_schedule"]} if case["rates"] == "two" else {}
    buffer = {"buffer": {"rollouts": 2, "importance": "products"}}
    objectives = {"a2c": "score", "trpo": "ratio", "ratio-buffer": "ratio"}
    policy = {"objective": objectives.get(case["algorithm"], "clip")}
    value = {"clip": case["value_clip"], "schedule": case["loss_schedule"]}
    update = {
        "rollout_steps": 64,
        "epochs": case["epochs"],
        "minibatch_size": case["minibatch"],
        "sampling": case["sampling"],
        "target_kl": case["target_kl"],
    }
    if "buffer" in case["algorithm"]:
        ratio = case["algorithm"] == "ratio-buffer"
        update["buffer"] = {"rollouts": 2, "importance": "ratio" if ratio else "products"}
    spec = {
        "ppoc": 1,
        "name": "covering",
        "algorithm": case["algorithm"] if case["algorithm"] in ("a2c", "trpo") else "ppo",
        "env": {
            "id": f"Toy{case['actions']}{case['observations']}-v0",
            "num_envs": 4,
            "backend": "gymnasium",
            "frame_skip": case["frame_skip"],
            "frame_stack": case["frame_stack"],
            "action_masks": case["action_masks"],
            "normalize": {
                "observations": case["normalize_observations"],
                "rewards": case["normalize_rewards"],
            },
        },
        "networks": {"actor": actor, "critic": critic},
        "advantage": {
            "estimator": case["estimator"],
            "baseline": case["baseline"],
            "lambda": 0.0 if case["algorithm"] == "ratio-buffer" else 0.9,
            "normalize": case["normalize_advantages"],
        },
        "losses": {
            "policy": policy | {"schedule": case["loss_schedule"]},
            "value": value,
            "entropy": {"beta": case["entropy"], "schedule": case["loss_schedule"]},
        },
        "optimizer": {
            "actor": rates,
            "critic": other,
            "max_grad_norm": case["max_grad_norm"],
        },
        "update": update,
        "training": {"total_steps": 512, "seed": 1, "compile": "never", "device": "cpu"},
        "evaluation": {
            "episodes": 2,
            "every": case["evaluate"],
            "deterministic": case["deterministic"],
        },
    }
    return json.dumps(spec)


def cases(*, sensible):
    """Cases that hold every pair of values; where `sensible`, every pair that makes sense."""
    rows = AllPairs([*OPTIONS.values()], filter_func=legal if sensible else lambda row: True)
    return [Case(zip(OPTIONS, row, strict=True)) for row in rows]


def compiled(case):
    """A case's module, or None where the checks refuse it."""
    try:
        return compile_spec(resolve_text(spec_of(case), "covering.yaml"))
    except SpecError as error:
        assert error.diagnostics
        assert all(found.code and found.message for found in error.diagnostics)
        return None
