"""Changes to the spec of a language model whose stage is unhealthy, the likeliest first."""

from collections.abc import Callable, Mapping
from typing import Any

from ppoc.runtime.health.findings import Change

Constants = Mapping[str, Any]
Changes = Callable[[Constants], list[Change]]

# Rates that are usual for a new model, which is a small one; for low-rank changes (Hu et al. 2022);
# and for all weights of a model that has learnt already.
USUAL = {
    "sft": (1e-3, 2e-4, 2e-5),
    "reward": (1e-3, 1e-4, 1e-5),
    "ppo": (3e-4, 5e-5, 1e-5),
    "value": (1e-3, 1e-4, 1e-4),
}
WILD = 10  # times such a rate
PREFIX = {"sft": "SFT_", "reward": "REWARD_", "ppo": ""}


def _usual(constants: Constants, of: str) -> float:
    new, low_rank, whole = USUAL[of]
    if "NEW_MODEL" in constants:
        return new
    return low_rank if "LORA_RANK" in constants else whole


def _wild(constants: Constants) -> bool:
    rate: float = constants.get("LEARNING_RATE", 0.0)
    return rate > WILD * _usual(constants, "ppo")


def slower(stage: str) -> Changes:
    """A smaller learning rate, and a limit of the gradient where a stage has none."""

    def changes(constants: Constants) -> list[Change]:
        usual, prefix = _usual(constants, stage), PREFIX[stage]
        rate = constants.get(f"{prefix}LEARNING_RATE")
        found = []
        if rate is not None:
            new = usual if rate > WILD * usual else rate / 3
            found.append(Change(f"{stage}.optimizer.lr", rate, new))
        if f"{prefix}MAX_GRAD_NORM" not in constants:
            found.append(Change(f"{stage}.optimizer.max_grad_norm", "null", 1.0))
        return found

    return changes


def faster(stage: str) -> Changes:
    """A learning rate that something can be learnt with, whichever side it is on now."""

    def changes(constants: Constants) -> list[Change]:
        usual = _usual(constants, stage)
        rate = constants.get(f"{PREFIX[stage]}LEARNING_RATE")
        if rate is None:
            return []
        new = rate * 3 if usual / WILD <= rate <= usual else usual
        return [Change(f"{stage}.optimizer.lr", rate, new)]

    return changes


def fewer_epochs(stage: str) -> Changes:
    """The number of epochs that were of use, or half of all; then a lower rate."""

    def changes(constants: Constants) -> list[Change]:
        epochs = int(constants.get(f"{PREFIX[stage]}EPOCHS", 1))
        best = min(int(constants.get("BEST", epochs // 2)), epochs - 1)
        return [
            *([Change(f"{stage}.epochs", epochs, best)] if best >= 1 else []),
            *slower(stage)(constants)[:1],
        ]

    return changes


def smaller_steps(constants: Constants) -> list[Change]:
    """Changes that keep the policy nearer to the one that answered."""
    epsilon, calmer = constants.get("CLIP_RANGE"), slower("ppo")(constants)
    changes = calmer[:1]
    if epsilon is not None:
        new = 0.2 if epsilon > 0.3 else epsilon / 2
        first = epsilon > 1 and not _wild(constants)
        changes.insert(0 if first else 1, Change("ppo.losses.policy.epsilon", epsilon, new))
    if "TARGET_KL" not in constants:
        changes.append(Change("ppo.target_kl", "null", 0.1))
    return [*changes, *calmer[1:]]


def nearer(constants: Constants) -> list[Change]:
    """Changes that keep the policy nearer to the one it started from."""
    weight = constants.get("KL_WEIGHT", 0.0)
    changes = [Change("ppo.kl.beta", weight, max(3 * weight, 0.05))]
    if "KL_TARGET" not in constants:
        changes.append(Change("ppo.kl.target", "null", 6.0))
    elif constants.get("KL_HORIZON", 0) >= 4:
        horizon = int(constants["KL_HORIZON"])
        changes.append(Change("ppo.kl.horizon", horizon, horizon // 4))
    rate = slower("ppo")(constants)[:1]
    return [*rate, *changes] if _wild(constants) else [*changes, *rate]


def exploring(constants: Constants) -> list[Change]:
    """Changes that keep answers from becoming all alike."""
    beta = constants.get("ENTROPY_COEFFICIENT", 0.0)
    bonus = Change("ppo.losses.entropy.beta", beta, beta * 3 or 0.01)
    steps = nearer(constants)
    return [*steps, bonus] if _wild(constants) else [steps[0], bonus, *steps[1:]]


def less_noise(constants: Constants) -> list[Change]:
    """Changes that keep tokens from becoming random."""
    beta = constants.get("ENTROPY_COEFFICIENT", 0.0)
    bonus = [Change("ppo.losses.entropy.beta", beta, beta / 10)] if beta else []
    return [*bonus, *smaller_steps(constants)]


def valuing(constants: Constants) -> list[Change]:
    """Changes that let the value function learn."""
    changes = []
    coefficient = constants.get("VALUE_COEFFICIENT")
    if coefficient is not None and coefficient < 0.05:
        changes.append(Change("ppo.losses.value.coefficient", coefficient, 0.1))
    rate = constants.get("VALUE_LEARNING_RATE")
    if rate is not None:
        usual = _usual(constants, "value")
        changes.append(Change("ppo.value_optimizer.lr", rate, max(usual, 3 * rate)))
    if "VALUE_CLIP_RANGE" in constants:
        changes.append(Change("ppo.losses.value.clip", constants["VALUE_CLIP_RANGE"], "null"))
    return changes


def calmer_values(constants: Constants) -> list[Change]:
    """Changes that keep values from running away from their targets."""
    rate, changes = constants.get("VALUE_LEARNING_RATE"), slower("ppo")(constants)
    if rate is None:
        return changes
    usual = _usual(constants, "value")
    own = Change("ppo.value_optimizer.lr", rate, usual if rate > WILD * usual else rate / 3)
    return [*changes, own] if _wild(constants) else [own, *changes]


def longer_answers(constants: Constants) -> list[Change]:
    """Changes that let answers end by themselves that never did."""
    most = int(constants.get("MAX_NEW_TOKENS", 1))
    changes = [Change("ppo.generation.max_new_tokens", most, 2 * most)]
    if "SFT_EPOCHS" in constants:
        epochs = int(constants["SFT_EPOCHS"])
        changes.append(Change("sft.epochs", epochs, 2 * epochs))
    return changes


def wanting_ends(constants: Constants) -> list[Change]:
    """Changes that make an answer without an end worth little."""
    missing = constants.get("MISSING_END_SCORE")
    if missing is None:
        return [Change("ppo.rewards.missing_end", "null", -1.0), *nearer(constants)]
    return [*nearer(constants), Change("ppo.rewards.missing_end", missing, missing - 1)]


def untruncated(constants: Constants) -> list[Change]:
    """Changes that make the drawn tokens those of the policy's own distribution."""
    changes = []
    if "TOP_K" in constants:
        changes.append(Change("ppo.generation.top_k", constants["TOP_K"], "null"))
    if "TOP_P" in constants:
        changes.append(Change("ppo.generation.top_p", constants["TOP_P"], 1.0))
    return changes or slower("ppo")(constants)


def bolder(constants: Constants) -> list[Change]:
    """Changes that let the score rise: larger steps, or a lower price of leaving the reference."""
    weight = constants.get("KL_WEIGHT", 0.0)
    cheaper = [Change("ppo.kl.beta", weight, weight / 3)] if weight else []
    return [*faster("ppo")(constants), *cheaper]
