"""Hyper-parameters of Stable-Baselines3's algorithms as sections of a spec.

Defaults are those of Stable-Baselines3 and sb3-contrib 2.6 to 2.9, which differ between algorithms;
what they leave out of their constructors is in `on_policy_algorithm.py` and `policies.py` there.
"""

import re
from typing import Any, Literal, NamedTuple, get_args

from ppoc.compiler.front.suggest import nearest_divisors
from ppoc.importing.entry import Entry
from ppoc.importing.policy import networks_and_optimizer

Algorithm = Literal["ppo", "a2c", "trpo", "ppo-lstm"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


class Defaults(NamedTuple):
    """The defaults of an algorithm's constructor, where the settings are silent."""

    preset: str
    n_steps: int
    learning_rate: float
    gae_lambda: float
    normalize_advantage: bool
    batch_size: int | None  # None: the whole rollout
    epochs: tuple[str, int]  # the key, and its default


DEFAULTS: dict[Algorithm, Defaults] = {
    "ppo": Defaults("ppo", 2048, 3e-4, 0.95, True, 64, ("n_epochs", 10)),
    "ppo-lstm": Defaults("ppo", 128, 3e-4, 0.95, True, 128, ("n_epochs", 10)),
    "a2c": Defaults("a2c", 5, 7e-4, 1.0, False, None, ("", 1)),
    "trpo": Defaults("trpo", 2048, 1e-3, 0.95, True, 128, ("n_critic_updates", 10)),
}

# Stable-Baselines3 takes the clipped error alone, not the larger of it and the plain one.
CLIPPED_VALUE = "(V_old + clip(V - V_old, -value_clip, value_clip) - R)**2"

SILENT = (  # of the program around the algorithm: they change no result
    "verbose",
    "tensorboard_log",
    "stats_window_size",
    "_init_setup_model",
)


def sections(algorithm: Algorithm, entry: Entry, num_envs: int) -> dict[str, Any]:
    """Networks, advantage, losses, optimizer, update and training of an entry's settings."""
    defaults = DEFAULTS[algorithm]
    for key in SILENT:
        entry.take(key)
    networks, optimizer = networks_and_optimizer(algorithm, entry)
    losses = _losses(algorithm, entry)
    rate, schedule = scheduled(entry, "learning_rate", defaults.learning_rate)
    who = "critic" if algorithm == "trpo" else "actor"
    rates = {**optimizer, "lr": rate, "schedule": schedule}
    values: dict[str, Any] = {
        "networks": networks,
        "advantage": {
            "gamma": entry.number("gamma", 0.99, least=0),
            "lambda": entry.number("gae_lambda", defaults.gae_lambda, least=0),
            "normalize": entry.flag("normalize_advantage", defaults.normalize_advantage),
        },
        "losses": losses,
        "optimizer": {who: rates},
        "update": _update(algorithm, entry, num_envs),
        "training": _training(entry),
    }
    if algorithm == "trpo":
        values["optimizer"]["trust_region"] = _trust_region(entry)
    else:
        limit = entry.number("max_grad_norm", 0.5, above=0)
        values["optimizer"]["max_grad_norm"] = limit
    return values


def scheduled(entry: Entry, key: str, default: float | None) -> tuple[float | None, str]:
    """A number or `lin_NUMBER`, and how it goes on over the run."""
    node = entry.take(key)
    if isinstance(node.value, str):
        found = re.fullmatch(r"[A-Za-z]+_([0-9.]+(?:[eE][-+]?[0-9]+)?)", node.value)
        try:
            return float(found[1] if found else "no number"), "linear"
        except ValueError:
            entry.refuse(key, node, "a number, or one that falls to 0 such as lin_3e-4")
            return default, "constant"
    return entry.number(key, default), "constant"


def _losses(algorithm: Algorithm, entry: Entry) -> dict[str, Any]:
    if algorithm == "trpo":
        for key in ("vf_coef", "ent_coef", "max_grad_norm"):  # in its models, and without effect
            entry.take(key)
        return {}
    # mean((V − R)²) times vf_coef, which is what `coefficient` weighs too.
    value: dict[str, Any] = {"coefficient": entry.number("vf_coef", 0.5, least=0)}
    entropy = {"beta": entry.number("ent_coef", 0.0, least=0)}
    if algorithm == "a2c":
        return {"value": value, "entropy": entropy}
    epsilon, schedule = scheduled(entry, "clip_range", 0.2)
    clip, falling = scheduled(entry, "clip_range_vf", None)
    if clip is not None and clip > 0:  # RL Zoo: negative for none
        value |= {"objective": CLIPPED_VALUE, "clip": clip}
    if falling == "linear":
        entry.note(("losses", "value"), f"clip_range_vf falls linearly from {clip}: here it stays")
    policy = {"epsilon": epsilon, "schedule": schedule}
    return {"policy": policy, "value": value, "entropy": entropy}


def _trust_region(entry: Entry) -> dict[str, Any]:
    factor = entry.count("sub_sampling_factor", 1)
    if factor > 1:
        text = f"sub_sampling_factor {factor}: here the step uses every sample"
        entry.note(("optimizer", "trust_region"), text)
    return {
        "kl_limit": entry.number("target_kl", 0.01, above=0),
        "cg_iterations": entry.count("cg_max_steps", 15),
        "damping": entry.number("cg_damping", 0.1, least=0),
        "backtracks": entry.count("line_search_max_iter", 10),
        "backtrack_ratio": entry.number("line_search_shrinking_factor", 0.8, above=0),
    }


def _update(algorithm: Algorithm, entry: Entry, num_envs: int) -> dict[str, Any]:
    defaults = DEFAULTS[algorithm]
    steps = entry.count("n_steps", defaults.n_steps, most=10**7) * num_envs
    update: dict[str, Any] = {"rollout_steps": steps, "minibatch_size": "all"}
    key, epochs = defaults.epochs
    update["epochs"] = entry.count(key, epochs) if key else epochs
    if algorithm in ("ppo", "ppo-lstm"):
        update["target_kl"] = entry.number("target_kl", None, above=0)
    if defaults.batch_size is not None:
        size = entry.count("batch_size", defaults.batch_size)
        update["minibatch_size"] = _minibatch(entry, size, steps)
    return update


def _minibatch(entry: Entry, size: int, steps: int) -> int | str:
    """A size that divides the rollout: Stable-Baselines3 ends an epoch with a smaller one."""
    place = ("update", "minibatch_size")
    if size == steps:
        return "all"
    if size > steps:
        entry.note(place, f"batch_size {size} is more than the {steps} steps of a rollout: all")
        return "all"
    if steps % size == 0:
        return size
    nearest = min(nearest_divisors(steps, size), key=lambda divisor: abs(divisor - size))
    text = (
        f"batch_size {size} does not divide {steps} steps, and minibatches here are of one size; "
        "Stable-Baselines3 takes the rest as a smaller one"
    )
    entry.note(place, text)
    return "all" if nearest == steps else nearest


def _training(entry: Entry) -> dict[str, Any]:
    training: dict[str, Any] = {}
    if "n_timesteps" in entry:
        training["total_steps"] = entry.count("n_timesteps", 1_000_000)
    if "seed" in entry:
        training["seed"] = entry.count("seed", 1, least=0)
    device = entry.word("device", "auto")
    if device in ("auto", "cpu", "cuda"):
        training["device"] = device
    else:
        entry.note(("training", "device"), f"not carried over: device: {device}")
    return training
