"""The way back: a spec of an agent in English that `ppoc draft` turns into the same spec."""

from collections.abc import Mapping
from typing import Any

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.draft.agent.compose import compose
from ppoc.draft.agent.reader import read
from ppoc.draft.spec.drafts import NothingToDraftError
from ppoc.draft.spec.paths import values_of
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.points import in_words

ALGORITHMS = {
    "ppo": "PPO",
    "ppo-kl": "PPO with a fixed KL penalty",
    "ppo-kl-adaptive": "PPO with an adaptive KL penalty",
    "ppo-lecture": "the lecture's PPO",
    "trpo": "TRPO",
    "a2c": "A2C",
    "a2c-trust-region": "A2C with a trust region",
    "td-actor-critic": "actor-critic with the TD error",
    "q-actor-critic": "Q actor-critic",
    "vpg-adaptive": "vanilla policy gradient with an adaptive step size",
    "reinforce": "REINFORCE",
    "reinforce-to-go": "REINFORCE with reward-to-go",
    "reinforce-baseline": "REINFORCE with a learned baseline",
    "reinforce-mean-baseline": "REINFORCE with a mean baseline",
    "off-policy": "the off-policy policy gradient",
    "cem": "the cross-entropy method",
}
# Sentences of values that are no single number; numbers are said by the glossary.
SENTENCES = {
    ("env.normalize.observations", True): "normalise observations",
    ("env.normalize.observations", False): "do not normalise observations",
    ("env.normalize.rewards", True): "normalise rewards",
    ("env.normalize.rewards", False): "do not normalise rewards",
    ("advantage.normalize", True): "normalise advantages",
    ("advantage.normalize", False): "do not normalise advantages",
    ("optimizer.max_grad_norm", None): "no gradient clipping",
    ("losses.value.clip", None): "no value clipping",
    ("losses.entropy.beta", 0.0): "no entropy bonus",
    ("update.target_kl", None): "no early stopping",
    ("networks.critic.share", "actor"): "a shared network for actor and critic",
    ("networks.critic.share", "body"): "shared convolutions and memory",
    ("networks.critic.share", None): "separate networks for actor and critic",
    ("networks.critic", None): "no critic",
    ("networks.actor.distribution", "tanh-gaussian"): "a tanh-squashed Gaussian policy",
    ("networks.actor.distribution", "beta"): "a Beta policy",
    ("networks.actor.action_scaling", "bounds"): "actions scaled to their bounds",
    ("networks.actor.action_scaling", "none"): "unscaled actions",
    ("networks.actor.std", "gsde"): "generalised state-dependent exploration",
    ("networks.actor.std", "state-dependent"): "a state-dependent standard deviation",
    ("env.action_masks", True): "action masks",
    ("env.grayscale", True): "in grayscale",
    ("env.atari", None): "no Atari preprocessing",
    ("env.atari.grayscale", True): "in grayscale",
    ("env.atari.grayscale", False): "in colour",
    ("env.atari.clip_rewards", True): "signs of rewards",
    ("env.atari.clip_rewards", False): "unclipped rewards",
    ("env.atari.episodic_life", True): "episodic life",
    ("env.atari.episodic_life", False): "no episodic life",
    ("env.atari.fire_reset", True): "fire reset",
    ("env.atari.fire_reset", False): "no fire reset",
    ("update.minibatch_size", "all"): "full batch updates",
    ("update.sampling", "episodes"): "whole episodes",
    ("losses.policy.objective", "clip"): "the clip objective",
    ("losses.policy.objective", "ratio"): "the ratio objective",
    ("losses.policy.objective", "score"): "the score objective",
    ("losses.policy.objective", "kl-penalty"): "the KL penalty objective",
    ("evaluation.every", None): "no evaluation during training",
    ("evaluation.deterministic", False): "stochastic evaluation",
    ("evaluation.deterministic", True): "deterministic evaluation",
    ("training.compile", "always"): "always compile",
    ("training.compile", "never"): "never compile",
    ("training.device", "cpu"): "on the cpu",
    ("training.device", "cuda"): "on the gpu",
    ("env.backend", "envpool"): "the envpool backend",
    ("env.backend", "gymnasium"): "the gymnasium backend",
    ("env.backend", "torch"): "the torch backend",
}
NUMBERS = {
    "training.total_steps": "train for {value} steps",
    "env.num_envs": "{value} environments",
    "env.atari.frame_skip": "a frame skip of {value}",
    "env.atari.screen_size": "resized to {value}x{value}",
    "update.rollout_steps": "{value} steps per rollout",
    "update.epochs": "{value} epochs",
    "update.minibatch_size": "minibatches of {value}",
    "evaluation.every": "evaluate every {value} steps",
    "update.target_kl": "a target KL of {value}",
    "optimizer.trust_region.kl_limit": "a KL limit of {value}",
    "optimizer.actor.kl_target": "a KL target of {value}",
}
NAMES = {"optimizer.actor.schedule": "learning rate", "losses.policy.schedule": "clip range"} | {
    "losses.entropy.schedule": "entropy coefficient",
    "optimizer.critic.schedule": "critic learning rate",
    "losses.value.schedule": "value loss weight",
}
FALLS = {
    "linear": "the {name} decays linearly",
    "cosine": "the {name} follows a cosine",
    "constant": "a constant {name}",
    "adaptive": "an adaptive {name}",
}


def describe(resolved: ResolvedAgent) -> tuple[str, list[str]]:
    """A spec in English, and the paths of values that this English has no words for.

    The words are read again, and what the draft would fill in otherwise is said too. Of a lock,
    which has every value, that is all.
    """
    wanted = values_of(resolved)
    paths = [
        ".".join(path)
        for path, node in resolved.root.leaves()
        if node.origin in ("spec", "extends", "override")
        and not resolved.is_lock
        and path[0] not in ("ppoc", "name", "lock")
    ]
    said: dict[str, str] = {}
    for path in paths:
        _say(path, wanted, said)
    text = _text(wanted, said)
    try:
        for path, value in _differences(text, wanted).items():
            if path in wanted:
                _say(path, {**wanted, path: value}, said)
        text = _text(wanted, said)
        return text, list(_differences(text, wanted))
    except NothingToDraftError:  # a lock has values that its algorithm does not use
        return text, [path for path in paths if not _say(path, wanted, said)]


def say(path: str, value: Any) -> str | None:
    """One value in words, or None where there are none."""
    if path == "algorithm":
        return ALGORITHMS.get(str(value))
    return f"on {value}" if path == "env.id" else _words(path, value, {path: value})


def _text(wanted: Mapping[str, Any], said: Mapping[str, str]) -> str:
    algorithm = str(wanted["algorithm"])
    start = f"Train {ALGORITHMS.get(algorithm, algorithm)} on {wanted['env.id']}"
    return "; ".join(dict.fromkeys([start, *said.values()])) + "."


def _differences(text: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Values that the draft of a text has otherwise."""
    drafted = values_of(compose(read(text)).resolved)
    return {
        path: value
        for path, value in wanted.items()
        if path.partition(".")[0] not in ("name", "lock") and drafted.get(path, ...) != value
    }


def _say(path: str, wanted: Mapping[str, Any], said: dict[str, str]) -> bool:
    """Put a value into words, where there are any."""
    if path in ("algorithm", "env.id") or path not in wanted:
        return True  # said first, or a section whose parts are said
    value = wanted.get(path)
    words = _words(path, value, wanted)
    if words:
        said[path] = words
    return bool(words)


def _words(path: str, value: Any, wanted: Mapping[str, Any]) -> str | None:
    plain = not isinstance(value, list | dict)
    if plain and (sentence := SENTENCES.get((path, value))) is not None:
        return sentence
    role = "critic" if path.split(".")[1:2] == ["critic"] else "actor"
    general = path.replace(".critic.", ".actor.", 1) if role == "critic" else path
    if general in NAMES and isinstance(value, str) and value in FALLS:
        return FALLS[value].format(name=NAMES[path])
    if general in NAMES and isinstance(value, list):
        return f"the {NAMES[path]} follows {in_words(value)}"
    if path == "optimizer.actor.kind":
        return f"{value} optimiser"
    if path == "env.wrappers" and value == ["MaskVelocity"]:
        return "hidden velocities"
    if path == "env.resize" and value:
        return f"resized to {value[0]}x{value[1]}"
    if general == "networks.actor.layers":
        sizes = ", ".join(map(str, value))
        return f"{role} layers [{sizes}]" if len(value) > 1 else _one_layer(role, value)
    if general == "networks.actor.activation":
        return f"{value} activation for the {role}"
    if general in ("networks.actor.memory.kind", "networks.actor.body"):
        return f"{value} for the {role}" if value != "mlp" else None
    if general == "networks.actor.init":
        return f"{value} initialisation for the {role}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _number(path, general, role, value)


def _one_layer(role: str, layers: list[int]) -> str:
    return (
        f"one {role} hidden layer of {layers[0]} units"
        if layers
        else f"no hidden layers for the {role}"
    )


def _number(path: str, general: str, role: str, value: float) -> str | None:
    digits = f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value!r}"
    if path in NUMBERS:
        return NUMBERS[path].format(value=digits)
    for entry in glossary().data["quantities"].values():
        if "say" in entry and entry["path"] == general:
            words = str(entry["say"]).format(value=digits)
            per_role = entry.get("both") or (entry.get("per_role") and role == "critic")
            return f"{words} for the {role}" if per_role else words
    return None
