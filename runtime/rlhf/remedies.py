"""Changes to the spec of a language model whose stage is unhealthy, the likeliest first."""

from collections.abc import Callable

from ppoc.runtime.health.findings import Change, adjusted, introduced
from ppoc.runtime.health.settings import Settings
from ppoc.runtime.rlhf.trend import BEST

Changes = Callable[[Settings], list[Change]]

# Rates that are usual for a new model, which is a small one; for low-rank changes (Hu et al. 2022);
# and for all weights of a model that has learnt already.
USUAL = {
    "sft": (1e-3, 2e-4, 2e-5),
    "reward": (1e-3, 1e-4, 1e-5),
    "ppo": (3e-4, 5e-5, 1e-5),
    "value": (1e-3, 1e-4, 1e-4),
}
WILD = 10  # times such a rate


def _usual(settings: Settings, of: str) -> float:
    new, low_rank, whole = USUAL[of]
    if "model.config.architecture" in settings:
        return new
    return low_rank if "model.lora.rank" in settings else whole


def _wild(settings: Settings) -> bool:
    rate: float = settings.get("ppo.optimizer.lr", 0.0)
    return rate > WILD * _usual(settings, "ppo")


def _slower_rate(settings: Settings, path: str, of: str) -> list[Change]:
    usual = _usual(settings, of)
    return adjusted(settings, path, lambda rate: usual if rate > WILD * usual else rate / 3)


def slower(stage: str) -> Changes:
    """A smaller learning rate, and a limit of the gradient where a stage has none."""

    def changes(settings: Settings) -> list[Change]:
        return [
            *_slower_rate(settings, f"{stage}.optimizer.lr", stage),
            *introduced(settings, f"{stage}.optimizer.max_grad_norm", 1.0),
        ]

    return changes


def faster(stage: str) -> Changes:
    """A learning rate that something can be learnt with, whichever side it is on now."""

    def changes(settings: Settings) -> list[Change]:
        usual = _usual(settings, stage)
        return adjusted(
            settings,
            f"{stage}.optimizer.lr",
            lambda rate: rate * 3 if usual / WILD <= rate <= usual else usual,
        )

    return changes


def fewer_epochs(stage: str) -> Changes:
    """The number of epochs that were of use, or half of all; then a lower rate."""

    def changes(settings: Settings) -> list[Change]:
        best = settings.get(BEST)
        fewer = adjusted(
            settings,
            f"{stage}.epochs",
            lambda epochs: min(int(epochs) // 2 if best is None else best, int(epochs) - 1),
        )
        return [*(change for change in fewer if change.new >= 1), *slower(stage)(settings)[:1]]

    return changes


def smaller_steps(settings: Settings) -> list[Change]:
    """Changes that keep the policy nearer to the one that answered."""
    calmer = _slower_rate(settings, "ppo.optimizer.lr", "ppo")
    narrower = adjusted(
        settings, "ppo.losses.policy.epsilon", lambda epsilon: 0.2 if epsilon > 0.3 else epsilon / 2
    )
    first = any(change.old > 1 for change in narrower) and not _wild(settings)
    return [
        *([*narrower, *calmer] if first else [*calmer, *narrower]),
        *introduced(settings, "ppo.target_kl", 0.1),
        *introduced(settings, "ppo.optimizer.max_grad_norm", 1.0),
    ]


def nearer(settings: Settings) -> list[Change]:
    """Changes that keep the policy nearer to the one it started from."""
    changes = [
        *adjusted(settings, "ppo.kl.beta", lambda weight: max(3 * weight, 0.05)),
        *introduced(settings, "ppo.kl.target", 6.0),
        *adjusted(settings, "ppo.kl.horizon", lambda x: int(x) // 4 if x >= 4 else x),
    ]
    rate = _slower_rate(settings, "ppo.optimizer.lr", "ppo")
    return [*rate, *changes] if _wild(settings) else [*changes, *rate]


def exploring(settings: Settings) -> list[Change]:
    """Changes that keep answers from becoming all alike."""
    path, steps = "ppo.losses.entropy.beta", nearer(settings)
    bonus = [
        *adjusted(settings, path, lambda beta: beta * 3),
        *introduced(settings, path, 0.01, unset=0.0),
    ]
    return [*steps, *bonus] if _wild(settings) else [*steps[:1], *bonus, *steps[1:]]


def less_noise(settings: Settings) -> list[Change]:
    """Changes that keep tokens from becoming random."""
    bonus = adjusted(settings, "ppo.losses.entropy.beta", lambda beta: beta / 10)
    return [*bonus, *smaller_steps(settings)]


def valuing(settings: Settings) -> list[Change]:
    """Changes that let the value function learn."""
    usual = _usual(settings, "value")
    return [
        *adjusted(settings, "ppo.losses.value.coefficient", lambda old: 0.1 if old < 0.05 else old),
        *adjusted(settings, "ppo.value_optimizer.lr", lambda rate: max(usual, 3 * rate)),
        *adjusted(settings, "ppo.losses.value.clip", lambda clip: "null"),
    ]


def calmer_values(settings: Settings) -> list[Change]:
    """Changes that keep values from running away from their targets."""
    changes = slower("ppo")(settings)
    own = _slower_rate(settings, "ppo.value_optimizer.lr", "value")
    return [*changes, *own] if _wild(settings) else [*own, *changes]


def longer_answers(settings: Settings) -> list[Change]:
    """Changes that let answers end by themselves that never did."""
    return [
        *adjusted(settings, "ppo.generation.max_new_tokens", lambda most: 2 * int(most)),
        *adjusted(settings, "sft.epochs", lambda epochs: 2 * int(epochs)),
    ]


def wanting_ends(settings: Settings) -> list[Change]:
    """Changes that make an answer without an end worth little."""
    path = "ppo.rewards.missing_end"
    return [
        *introduced(settings, path, -1.0),
        *nearer(settings),
        *adjusted(settings, path, lambda missing: missing - 1),
    ]


def untruncated(settings: Settings) -> list[Change]:
    """Changes that make the drawn tokens those of the policy's own distribution."""
    changes = [
        *adjusted(settings, "ppo.generation.top_k", lambda k: "null"),
        *adjusted(settings, "ppo.generation.top_p", lambda p: 1.0),
    ]
    return changes or slower("ppo")(settings)


def bolder(settings: Settings) -> list[Change]:
    """Changes that let the score rise: larger steps, or a lower price of leaving the reference."""
    cheaper = adjusted(settings, "ppo.kl.beta", lambda weight: weight / 3)
    return [*faster("ppo")(settings), *cheaper]
