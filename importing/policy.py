"""Policies of Stable-Baselines3, and their `policy_kwargs`, as networks and an optimiser."""

import re
from typing import Any

from ppoc.compiler.front.node import Node
from ppoc.importing.entry import Entry

ACTIVATIONS = {
    "Tanh": "tanh",
    "ReLU": "relu",
    "ELU": "elu",
    "SiLU": "silu",
    "GELU": "gelu",
    "LeakyReLU": "leaky_relu",
}
OLD_ACTIVATIONS = {name: name for name in ("tanh", "relu", "elu")}  # of TensorFlow
OPTIMIZERS = {
    "Adam": "adam",
    "AdamW": "adamw",
    "RMSprop": "rmsprop",
    "RMSpropTFLike": "rmsprop",
    "SGD": "sgd",
}
POLICIES = (
    "MlpPolicy",
    "CnnPolicy",
    "MultiInputPolicy",
    "MlpLstmPolicy",
    "CnnLstmPolicy",
    "MultiInputLstmPolicy",
)
ACTOR, CRITIC, OPTIMIZER = ("networks", "actor"), ("networks", "critic"), ("optimizer",)


def networks_and_optimizer(algorithm: str, entry: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
    """`networks`, and the one optimiser of all parameters, of an entry's policy settings."""
    policy = _policy_name(entry, algorithm)
    arguments = entry.section("policy_kwargs")
    images = policy.startswith("Cnn")
    networks = _networks(arguments, images=images, trust_region=algorithm == "trpo")
    if algorithm == "ppo-lstm":
        _add_memory(arguments, networks, images=images)
    _add_noise(entry, arguments, networks["actor"])
    optimizer = _optimizer(algorithm, entry, arguments)
    arguments.leave(ACTOR)
    entry.absorb(arguments)
    return networks, optimizer


def _policy_name(entry: Entry, algorithm: str) -> str:
    node = entry.take("policy")
    known = [name for name in POLICIES if ("Lstm" in name) == (algorithm == "ppo-lstm")]
    if node.value is not None and node.value not in known:
        entry.refuse("policy", node, " or ".join(known))
    if str(node.value).startswith("MultiInput"):
        text = f"{node.value}: dictionaries are flattened; images in them have no convolutions here"
        entry.note(ACTOR, text)
    return str(node.value or known[0])


def _networks(arguments: Entry, *, images: bool, trust_region: bool) -> dict[str, Any]:
    pi, vf = _layers(arguments, [] if images else [64, 64])
    init = "orthogonal" if arguments.flag("ortho_init", True) else "default"
    kind = _activation(arguments)
    hidden = {"activation": kind, "init": init}
    actor: dict[str, Any] = {"layers": pi, **hidden}
    critic: dict[str, Any] = {"layers": vf, **hidden}
    shared = arguments.flag("share_features_extractor", True)
    if images:
        actor |= {"body": "nature-cnn", "features": _features(arguments)}
        if shared and trust_region:
            text = "the critic has convolutions of its own: a trust region cannot share them"
            arguments.note(CRITIC, text)
        if shared and not trust_region:
            critic["share"] = "body"
        else:
            critic |= {"body": "nature-cnn", "features": actor["features"]}
    return {"actor": actor, "critic": critic}


def _features(arguments: Entry) -> int | None:
    """The width of NatureCNN's last layer; 512 is also what null means."""
    inner = arguments.section("features_extractor_kwargs")
    width = inner.count("features_dim", 512)
    inner.leave(ACTOR)
    arguments.absorb(inner)
    return None if width == 512 else width


def _activation(arguments: Entry) -> str:
    key = "act_fun" if "act_fun" in arguments else "activation_fn"  # the first is version 2's
    known = OLD_ACTIVATIONS if key == "act_fun" else ACTIVATIONS
    node = arguments.take(key)
    name = class_name(node.value)
    if node.value is not None and name not in known:
        arguments.refuse(key, node, f"one of {', '.join(known)}")
    return known.get(name, "tanh")


def class_name(value: Any) -> str:
    """The last part of a dotted name, or of what Python prints for a class."""
    return re.sub(r"^<class '(.*)'>$", r"\1", str(value)).rpartition(".")[2]


def _layers(arguments: Entry, default: list[int]) -> tuple[list[int], list[int]]:
    """Widths of the actor's and the critic's hidden layers, in any of the forms of `net_arch`.

    A list is for both; a mapping has `pi` and `vf`; in the old form the mapping is the last item of
    a list, after layers that both share.
    """
    node = arguments.take("net_arch")
    if node.value is None:
        return default, default
    items = node.value if isinstance(node.value, list) else [node]
    heads = [item.value for item in items if isinstance(item.value, dict)]
    trunk = [item.value for item in items if not isinstance(item.value, dict)]
    if len(heads) > 1 or (heads and not isinstance(items[-1].value, dict)):
        arguments.refuse("net_arch", node, "a list of widths, or dict(pi=[…], vf=[…])")
        return default, default
    branches = heads[0] if heads else {}
    for name in sorted(set(branches) - {"pi", "vf"}):
        text = f"not carried over: net_arch: {name}: {branches[name].plain()}"
        arguments.note(CRITIC, f"{text} (Stable-Baselines3 takes pi and vf)")
    pi, vf = (trunk + _widths(branches.get(name)) for name in ("pi", "vf"))
    if not all(type(width) is int and 1 <= width <= 8192 for width in (*pi, *vf)):
        arguments.refuse("net_arch", node, "widths from 1 to 8192")
        return default, default
    if heads and trunk:
        text = f"net_arch: actor and critic share layers {trunk} there; here each has its own"
        arguments.note(CRITIC, text)
    return pi, vf


def _widths(node: Node | None) -> list[Any]:
    if node is None or node.value is None:
        return []
    return [item.value for item in node.value] if isinstance(node.value, list) else [node.value]


def _add_memory(arguments: Entry, networks: dict[str, Any], *, images: bool) -> None:
    """The LSTM of sb3-contrib's RecurrentPPO: one for the actor, and the critic's in three ways."""
    actor, critic = networks["actor"], networks["critic"]
    memory = {"kind": "lstm", "size": arguments.count("lstm_hidden_size", 256)}
    actor["memory"] = memory
    deep = arguments.count("n_lstm_layers", 1)
    if deep > 1:
        arguments.note((*ACTOR, "memory"), f"n_lstm_layers {deep}: here it is one layer")
    shared = arguments.flag("shared_lstm", False)
    own = arguments.flag("enable_critic_lstm", True)
    if shared or images:
        critic.pop("body", None)
        critic.pop("features", None)
        critic["share"] = "body"
    elif own:
        critic["memory"] = memory
    if shared:
        text = "shared_lstm: there the critic's error does not move the LSTM; here it does"
        arguments.note(CRITIC, text)
    elif images:
        text = f"there the critic has {'an LSTM' if own else 'a linear layer'} of its own after the"
        arguments.note(CRITIC, f"{text} convolutions; here it shares the actor's LSTM too")
    elif not own:
        text = "enable_critic_lstm is false: there a linear layer stands in its place"
        arguments.note(CRITIC, text)


def _add_noise(entry: Entry, arguments: Entry, actor: dict[str, Any]) -> None:
    """The standard deviation of continuous actions, and generalised state-dependent exploration."""
    deviation = "log_std_init" in arguments
    actor["log_std_init"] = arguments.number("log_std_init", 0.0)
    every = entry.count("sde_sample_freq", -1, least=-1)
    squash = arguments.flag("squash_output", False)
    full, expln = arguments.flag("full_std", True), arguments.flag("use_expln", False)
    sde = entry.flag("use_sde", False)
    if (sde or deviation) and not (sde and squash):
        actor["action_scaling"] = "none"  # there, actions are as the environment takes them
    if not sde:
        return
    actor |= {"std": "gsde", "resample_every": every if every > 0 else None}
    if squash:
        actor["distribution"] = "tanh-gaussian"
    if not full:
        arguments.note(ACTOR, "full_std is false: here σ has a value for each action and feature")
    if expln:
        arguments.note(ACTOR, "use_expln is true: here σ is an exponential")


def _optimizer(algorithm: str, entry: Entry, arguments: Entry) -> dict[str, Any]:
    """The one optimiser of all parameters, without its rate."""
    rms = algorithm == "a2c" and entry.flag("use_rms_prop", True)
    rms_epsilon = entry.number("rms_prop_eps", 1e-5, above=0) if algorithm == "a2c" else 1e-5
    node = arguments.take("optimizer_class")
    inner = arguments.section("optimizer_kwargs")
    given = "optimizer_kwargs" in arguments
    if node.value is None and rms:
        values = {"kind": "rmsprop", "epsilon": rms_epsilon, "decay": 0.99}
    else:
        values = _optimizer_class(arguments, node, inner, given)
    inner.leave(OPTIMIZER)
    arguments.absorb(inner)
    return values


def _optimizer_class(arguments: Entry, node: Node, inner: Entry, given: bool) -> dict[str, Any]:
    name = class_name(node.value) if node.value is not None else "Adam"
    if name not in OPTIMIZERS:
        arguments.refuse("optimizer_class", node, f"one of {', '.join(OPTIMIZERS)}")
        return {}
    kind = OPTIMIZERS[name]
    decay = inner.number("weight_decay", 0.01 if kind == "adamw" else 0.0, least=0)
    if decay and kind != "adamw":
        arguments.note((*OPTIMIZER, "actor"), f"not carried over: weight_decay {decay:g} of {name}")
    if kind == "sgd":
        return {"kind": kind, "momentum": inner.number("momentum", 0.0, least=0)}
    # Stable-Baselines3 gives Adam an ε of 1e-5 only where no optimizer_kwargs are given.
    usual = 1e-5 if name == "Adam" and not given else 1e-8
    values = {"kind": kind, "epsilon": inner.number("eps", usual, above=0)}
    if kind == "adamw":
        values["weight_decay"] = decay
    if kind == "rmsprop":
        values["decay"] = inner.number("alpha", 0.99, least=0)
    if name == "RMSpropTFLike":
        text = "RMSpropTFLike adds ε before the root and starts from 1; here as torch's RMSprop"
        arguments.note((*OPTIMIZER, "actor"), text)
    return values
