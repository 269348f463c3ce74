"""Fields of a model's `data`: the algorithm, its settings, and the arguments of its policy.

A field that decides actions is understood or refused. One of training is carried, or becomes a
comment; so does a field that is not known.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ppoc.compiler.front.node import Node
from ppoc.importing import sb3_schedules as schedules
from ppoc.importing.entry import Entry
from ppoc.importing.hyperparameters import Algorithm
from ppoc.importing.policy import ACTIVATIONS, OPTIMIZERS, class_name
from ppoc.importing.sb3_file import Model, refusal
from ppoc.importing.sb3_weights import widths

# Settings of the constructors.
SETTINGS = (
    "n_steps",
    "batch_size",
    "n_epochs",
    "n_critic_updates",
    "gamma",
    "gae_lambda",
    "normalize_advantage",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "target_kl",
    "use_sde",
    "sde_sample_freq",
    "cg_max_steps",
    "cg_damping",
    "line_search_max_iter",
    "line_search_shrinking_factor",
    "sub_sampling_factor",
    "seed",
)
SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
# Fields of the training's program and state, which change no action and no setting; and those read
# by name elsewhere.
LEFT = (
    *("verbose", "tensorboard_log", "_stats_window_size", "stats_window_size", "device"),
    *("start_time", "num_timesteps", "_total_timesteps", "_num_timesteps_at_start"),
    *(
        "_last_obs",
        "_last_dones",
        "_last_episode_starts",
        "_last_original_obs",
        "_last_lstm_states",
    ),
    *("_episode_num", "_current_progress_remaining", "_n_updates", "lr_schedule", "_logger"),
    *("ep_info_buffer", "ep_success_buffer", "_custom_logger", "eval_env", "eps"),
    *("policy", "policy_class", "policy_kwargs", "observation_space", "action_space", "n_envs"),
)
REPLAY = "learns from a replay buffer, off its policy"
# A field that only one algorithm's models have, the likeliest first, and why ppoc has no such.
OTHERS = {
    "n_delta": ("ARS", "searches at random, without a gradient"),
    "n_quantiles": ("QR-DQN", REPLAY),
    "top_quantiles_to_drop_per_net": ("TQC", REPLAY),
    "exploration_fraction": ("DQN", REPLAY),
    "target_policy_noise": ("TD3 or DDPG", REPLAY),
    "policy_delay": ("CrossQ", REPLAY),
    "target_entropy": ("SAC", REPLAY),
    "buffer_size": ("an off-policy algorithm", REPLAY),
}
POLICIES = "stable_baselines3.common.policies"
MASKABLE = "sb3_contrib.common.maskable.policies"
LAYERS = "stable_baselines3.common.torch_layers."
EXTRACTORS = {LAYERS + name for name in ("FlattenExtractor", "NatureCNN", "CombinedExtractor")}
# Arguments of Stable-Baselines3's policies that are read here; hyper-parameters read the others.
ARGUMENTS = (
    *("net_arch", "activation_fn", "ortho_init", "use_sde", "log_std_init", "full_std"),
    *("use_expln", "squash_output", "features_extractor_class", "features_extractor_kwargs"),
    *("share_features_extractor", "normalize_images", "optimizer_class", "optimizer_kwargs"),
)


class Policy(NamedTuple):
    """How a model's policy acts, beside its layers."""

    masked: bool  # it is told which actions are allowed
    squashed: bool
    full_std: bool  # σ of generalised state-dependent exploration: of each action and feature
    expln: bool  # log σ goes through expln, which grows like σ above 1
    normalizes_images: bool


def algorithm(model: Model) -> Algorithm:
    """The algorithm, which only the settings tell.

    Raises:
        SpecError: E903, it is none that ppoc has.
    """
    data, weights = model
    for field, (name, why) in OTHERS.items():
        if field in data:
            raise refusal(f"the model is of {name}, which {why}: it is not PPO or A2C or their kin")
    if any("lstm" in name for name in weights):
        raise refusal("the model is of RecurrentPPO: models with an LSTM are not read yet")
    if "policy_class" in data:
        _policy_module(model)
    if "action_net.weight" not in weights or "vf_coef" not in data:
        raise refusal("the model has no policy with a value function: not PPO or A2C")
    if "cg_max_steps" in data:
        return "trpo"
    return "ppo" if "clip_range" in data else "a2c"


def policy(model: Model) -> Policy:
    """How the policy acts.

    Raises:
        SpecError: E903, code of its own decides how, or something that ppoc does not have.
    """
    module = _policy_module(model)
    kwargs = _arguments(model)
    unknown = sorted(set(kwargs) - set(ARGUMENTS))
    if unknown:
        names = ", ".join(unknown)[:200]
        raise refusal(f"policy_kwargs has {names}, and it is not known how that changes actions")
    extractor = _class(kwargs.get("features_extractor_class", LAYERS + "FlattenExtractor"))
    if extractor not in EXTRACTORS:
        raise refusal(f"the model's features come from {extractor[:80]}, which is code of its own")
    for name in model.weights:
        found = re.match(r"(?:\w+_)?features_extractor\.extractors\.(.+)\.cnn\.", name)
        if found:
            raise refusal(
                f"the model sees a dictionary of which the images `{found[1][:80]}` go through "
                "convolutions of their own: ppoc flattens a dictionary to one vector"
            )
    flags = ("squash_output", "full_std", "use_expln", "normalize_images")
    squashed, full, expln, images = (
        _flag(kwargs, name, name in ("full_std", "normalize_images")) for name in flags
    )
    return Policy(module == MASKABLE, squashed, full, expln, images)


def settings(model: Model, algorithm: Algorithm, *, images: bool) -> Entry:
    """The settings under the names of the constructors, as an entry of RL Zoo has them.

    Its notes say what training had and a spec has not.

    Raises:
        SpecError: E903, the hidden layers have an activation that ppoc does not have.
    """
    data, weights = model
    found = {key: data[key] for key in SETTINGS if data.get(key) is not None}
    rates = {key: rate for key in SCHEDULES if (rate := schedules.read(data, key)) is not None}
    steps = data.get("_total_timesteps") or data.get("num_timesteps")
    if steps:
        found["n_timesteps"] = steps
    kwargs = _arguments(model)
    # The policy, or the weights as they come, have these.
    read = ("features_extractor_class", "use_sde", "normalize_images", "full_std", "use_expln")
    kwargs = {name: value for name, value in kwargs.items() if name not in read}
    kwargs["net_arch"] = {
        name: widths(weights, net) for name, net in (("pi", "policy"), ("vf", "value"))
    }
    kwargs.pop("features_extractor_kwargs", None)
    if images:
        kwargs["features_extractor_kwargs"] = _features(weights)
    _check_activation(kwargs)
    notes = _check_optimizer(kwargs)
    if algorithm == "a2c":  # which then is among the arguments of the policy
        found["use_rms_prop"] = False
    policy = "CnnPolicy" if images else "MlpPolicy"
    values = {**found, **rates, "policy": policy, "policy_kwargs": kwargs}
    entry = Entry(dict(_nodes(values).value))
    for text in notes:
        entry.note(("optimizer",), f"not carried over: {text}")
    for key in SCHEDULES:
        if isinstance(data.get(key), dict) and key not in rates:
            place = ("optimizer",) if key == "learning_rate" else ("losses",)
            entry.note(
                place, f"not carried over: {key} is a function, {schedules.described(data, key)}"
            )
    for key, value in data.items():
        if key not in (*SETTINGS, *SCHEDULES, *LEFT) and _says_something(key, value):
            entry.note(("training",), f"not carried over: {key[:80]}: {_shown(value)}")
    return entry


def _policy_module(model: Model) -> str:
    """Where the class of the policy comes from; E903 for one that is not Stable-Baselines3's."""
    described = model.settings.get("policy_class")
    module = described.get("__module__") if isinstance(described, dict) else None
    if module in (POLICIES, MASKABLE):
        return str(module)
    what = f"of {module[:80]}" if isinstance(module, str) else "that the file does not name"
    raise refusal(f"the model's policy is a class {what}: code of its own says how it acts")


def _arguments(model: Model) -> dict[str, Any]:
    kwargs = model.settings.get("policy_kwargs")
    if kwargs is None:
        return {}
    if not isinstance(kwargs, dict):
        raise refusal(f"policy_kwargs is {str(kwargs)[:80]}, not a mapping")
    return {key: value for key, value in kwargs.items() if key not in (":type:", ":serialized:")}


def _flag(kwargs: Mapping[str, Any], name: str, default: bool) -> bool:
    value = kwargs.get(name, default)
    if not isinstance(value, bool):
        raise refusal(f"policy_kwargs.{name} is {str(value)[:80]}, not true or false")
    return value


def _class(value: Any) -> str:
    """The dotted name that Python prints for a class."""
    return re.sub(r"^<class '(.*)'>$", r"\1", str(value))


def _features(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """The width of NatureCNN's last layer."""
    found = [len(t) for name, t in weights.items() if name.endswith("extractor.linear.0.bias")]
    return {"features_dim": found[0]} if found else {}


def _check_activation(kwargs: dict[str, Any]) -> None:
    """E903 for a class of another's, or that ppoc does not have; unused, it does not matter."""
    if "activation_fn" not in kwargs or not any(kwargs["net_arch"].values()):
        kwargs.pop("activation_fn", None)
        return
    name = _class(kwargs["activation_fn"])
    if not name.startswith("torch.nn.") or class_name(name) not in ACTIVATIONS:
        raise refusal(
            f"the model's hidden layers have the activation {name[:80]}, which ppoc does not",
            f"ppoc has {', '.join(ACTIVATIONS)}",
        )


def _check_optimizer(kwargs: dict[str, Any]) -> list[str]:
    """Leave out an optimiser that ppoc does not have, which changes no action; what it was."""
    told = []
    if "optimizer_class" in kwargs:
        name = _class(kwargs["optimizer_class"])
        own = name.startswith(("torch.optim.", "stable_baselines3.common.sb2_compat."))
        if not own or class_name(name) not in OPTIMIZERS:
            told.append(f"optimizer_class: {name[:80]}")
            del kwargs["optimizer_class"]
            told += [f"optimizer_kwargs: {_shown(kwargs.pop('optimizer_kwargs', {}))}"]
    elif not isinstance(kwargs.get("optimizer_kwargs", {}), dict):
        told.append(f"optimizer_kwargs: {_shown(kwargs.pop('optimizer_kwargs'))}")
    return told


def _says_something(key: str, value: Any) -> bool:
    """Whether a field that nobody reads is more than nothing, or Stable-Baselines3's own class."""
    if key == "rollout_buffer_class" and isinstance(value, dict):
        module = str(value.get("__module__"))
        return not module.startswith(("stable_baselines3.", "sb3_contrib."))
    return value is not None and value != {} and value != []


def _shown(value: Any) -> str:
    """A value in a few words; of what is pickled, its type."""
    if isinstance(value, dict) and ":type:" in value:
        own, kind = value.get("__module__"), _class(value[":type:"])
        return f"{kind} of {own}"[:80] if isinstance(own, str) else kind[:80]
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _nodes(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({str(key): _nodes(item) for key, item in value.items()})
    if isinstance(value, list):
        return Node([_nodes(item) for item in value])
    return Node(value)
