"""Did you mean? Close names, and what other libraries call the same thing."""

import difflib
from collections.abc import Iterable

from pydantic import BaseModel

from ppoc.compiler.kind import Kind
from ppoc.compiler.language import model_of

# Names of Stable-Baselines3, RL Zoo, CleanRL and RLlib, and where their values go here.
PEERS = {
    "learning_rate": "optimizer.actor.lr",
    "lr": "optimizer.actor.lr",
    "adam_eps": "optimizer.actor.epsilon",
    "anneal_lr": "optimizer.actor.schedule: linear",
    "max_grad_norm": "optimizer.max_grad_norm",
    "grad_clip": "optimizer.max_grad_norm",
    "n_steps": "update.rollout_steps, which counts steps of all environments together",
    "num_steps": "update.rollout_steps, which counts steps of all environments together",
    "train_batch_size": "update.rollout_steps",
    "horizon": "update.rollout_steps, which counts steps of all environments together",
    "batch_size": "update.minibatch_size",
    "num_minibatches": "update.minibatch_size, in samples",
    "sgd_minibatch_size": "update.minibatch_size",
    "n_epochs": "update.epochs",
    "update_epochs": "update.epochs",
    "num_sgd_iter": "update.epochs",
    "clip_range": "losses.policy.epsilon",
    "clip_coef": "losses.policy.epsilon",
    "clip_param": "losses.policy.epsilon",
    "clip": "losses.policy.epsilon",
    "clip_range_vf": "losses.value.clip",
    "clip_vloss": "losses.value.clip",
    "vf_clip_param": "losses.value.clip",
    "vf_coef": "losses.value.coefficient",
    "vf_loss_coeff": "losses.value.coefficient",
    "ent_coef": "losses.entropy.beta",
    "entropy_coeff": "losses.entropy.beta",
    "gae_lambda": "advantage.lambda",
    "discount": "advantage.gamma",
    "norm_adv": "advantage.normalize",
    "normalize_advantage": "advantage.normalize",
    "n_envs": "env.num_envs",
    "env_id": "env.id",
    "environment": "env",
    "n_timesteps": "training.total_steps",
    "total_timesteps": "training.total_steps",
    "timesteps": "training.total_steps",
    "net_arch": "networks.actor.layers",
    "hidden_sizes": "networks.actor.layers",
    "policy_kwargs": "networks",
    "activation_fn": "networks.actor.activation",
    "ortho_init": "networks.actor.init",
    "policy": "networks",
    "eval_freq": "evaluation.every",
    "n_eval_episodes": "evaluation.episodes",
}


def did_you_mean(word: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """A sentence with the closest of some names, or nothing."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=cutoff)
    if not close:
        folded = {choice.lower(): choice for choice in choices}
        close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=cutoff)
        close = [folded[name] for name in close]
    return f"did you mean `{close[0]}`?" if close else ""


def places(model: type[BaseModel], above: str = "") -> dict[str, list[str]]:
    """Key → every path of the language that ends in it."""
    found: dict[str, list[str]] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        path = f"{above}{key}"
        found.setdefault(key, []).append(path)
        section = model_of(info.annotation)
        if section is not None:
            for inner, paths in places(section, f"{path}.").items():
                found.setdefault(inner, []).extend(paths)
    return found


def unknown_key(key: str, siblings: Iterable[str], kind: Kind) -> str:
    """What a key that does not exist may have meant."""
    siblings = list(siblings)
    section, dot, rest = key.partition(".")
    if dot and section in siblings:
        inside = rest.replace(".", ": {") + ": …" + "}" * rest.count(".")
        return f"keys nest: write `{section}: {{{inside}}}`"
    close = did_you_mean(key, siblings, cutoff=0.75)
    if close:
        return close
    if key in kind.peers:
        return f"ppoc calls it `{kind.peers[key]}`"
    elsewhere = [path for path in places(kind.model).get(key, []) if not path.startswith("lock.")]
    if elsewhere:
        return f"it belongs at {' or '.join(f'`{path}`' for path in elsewhere)}"
    close = did_you_mean(key, siblings)
    return close or f"the keys here are: {', '.join(siblings)}"
