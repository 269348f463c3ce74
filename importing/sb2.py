"""Settings of Stable-Baselines 2, whose files RL Zoo had first, under the names of version 3.

What a file leaves out is as version 2 has it (2.10).
"""

from collections.abc import Mapping
from typing import Any

from ppoc.compiler.front.node import Node
from ppoc.importing.entry import Entry
from ppoc.importing.hyperparameters import Algorithm

NAMES = {
    "lam": "gae_lambda",
    "noptepochs": "n_epochs",
    "cliprange": "clip_range",
    "cliprange_vf": "clip_range_vf",
    "timesteps_per_batch": "n_steps",
    "max_kl": "target_kl",
    "cg_iters": "cg_max_steps",
    "vf_stepsize": "learning_rate",
    "vf_iters": "n_critic_updates",
    "entcoeff": "ent_coef",
}
# Names that only version 2 has; `alpha` and `epsilon` are RMSprop's there.
OLD = (*NAMES, "nminibatches", "n_cpu_tf_sess", "full_tensorboard_log", "act_fun")
SILENT = ("n_cpu_tf_sess", "full_tensorboard_log", "requires_grad")
DEFAULTS: Mapping[Algorithm, Mapping[str, Any]] = {
    "ppo": {
        "n_steps": 128,
        "learning_rate": 2.5e-4,
        "ent_coef": 0.01,
        "n_epochs": 4,
        "nminibatches": 4,
    },
    "a2c": {"vf_coef": 0.25, "ent_coef": 0.01, "learning_rate": 7e-4},
    "trpo": {
        "n_steps": 1024,
        "cg_max_steps": 10,
        "gae_lambda": 0.98,
        "cg_damping": 1e-2,
        "learning_rate": 3e-4,
        "n_critic_updates": 3,
    },
}


def is_old(entries: Mapping[str, Node]) -> bool:
    """Whether an entry of a file has a name that only version 2 has."""
    return any(set(OLD) & set(node.value) for node in entries.values())


def renamed(algorithm: Algorithm, given: Mapping[str, Node]) -> dict[str, Node]:
    """An entry's settings under the names of version 3, with version 2's defaults."""
    found = {key: node for key, node in given.items() if key not in NAMES}
    found |= {NAMES[key]: node for key, node in given.items() if key in NAMES}
    for key in SILENT:
        found.pop(key, None)
    for key, value in DEFAULTS.get(algorithm, {}).items():
        if key != "nminibatches" or "batch_size" not in found:
            found.setdefault(key, Node(value))
    rate = found.get("learning_rate", Node(None))
    schedule = found.get("lr_schedule", Node(None)).value
    if schedule in ("constant", "linear"):  # others become a comment
        del found["lr_schedule"]
    if schedule == "linear" and isinstance(rate.value, int | float):
        found["learning_rate"] = Node(f"lin_{rate.value}", rate.span)
    if algorithm == "a2c" and "epsilon" in found:
        found["rms_prop_eps"] = found.pop("epsilon")
    if algorithm == "ppo":
        found.setdefault("clip_range_vf", found.get("clip_range", Node(0.2)))
        found.setdefault("normalize_advantage", Node(True))
    return found


def count_minibatches(algorithm: Algorithm, entry: Entry, num_envs: int) -> None:
    """Give `batch_size` what `nminibatches`, their number in a rollout, comes to."""
    if algorithm != "ppo" or "nminibatches" not in entry:
        return
    count, steps = entry.count("nminibatches", 4), entry.peek("n_steps")
    whole = isinstance(steps, int | float) and float(steps).is_integer()
    if "batch_size" in entry or not whole or steps * num_envs < count:
        why = "beside batch_size" if "batch_size" in entry else f"of {steps} steps"
        entry.note(("update", "minibatch_size"), f"not carried over: nminibatches: {count} ({why})")
        return
    entry.put("batch_size", int(steps) * num_envs // count)


def settle(algorithm: Algorithm, values: dict[str, Any], entry: Entry) -> None:
    """Settle what means something else in version 2: the error of values, and RMSprop."""
    if algorithm == "ppo":
        value = values["losses"]["value"]
        value.pop("objective", None)  # the larger of both errors, as ppoc's own clip
        value["coefficient"] = value["coefficient"] / 2  # of half the squared error there
    if algorithm == "a2c" and values["optimizer"]["actor"].get("kind") == "rmsprop":
        text = "RMSprop of TensorFlow adds ε before the root and starts from 1; here as torch's"
        entry.note(("optimizer", "actor"), text)
