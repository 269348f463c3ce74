"""Changes to the spec of an agent whose run is unhealthy, the likeliest first."""

import math

from ppoc.runtime.health.findings import Change, adjusted, introduced
from ppoc.runtime.health.settings import Settings

WILD = {"optimizer.actor.lr": 3e-3, "losses.policy.epsilon": 1.0}  # values beyond which are no use


def smaller_steps(settings: Settings) -> list[Change]:
    """Changes that keep the policy nearer to the one that acted, the likeliest first.

    3e-4 is the rate that Andrychowicz et al. 2021 start from.
    """
    path = "optimizer.trust_region.kl_limit"
    if nearer := adjusted(settings, path, lambda limit: min(limit / 2, 0.01)):
        return nearer
    slower = adjusted(
        settings, "optimizer.actor.lr", lambda rate: 3e-4 if rate > 3e-3 else rate / 3
    )
    narrower = adjusted(
        settings, "losses.policy.epsilon", lambda epsilon: 0.2 if epsilon > 0.3 else epsilon / 2
    )
    rate_first = any(map(_wild, slower)) and not any(map(_wild, narrower))
    changes = [*slower, *narrower] if rate_first else [*narrower, *slower]
    if settings.get("update.epochs", 1) > 1:
        changes += introduced(settings, "update.target_kl", 0.02)
    return changes


def _wild(change: Change) -> bool:
    return bool(change.old > WILD.get(change.path, math.inf))


def normalised_rewards(settings: Settings) -> list[Change]:
    """Rewards of a scale that the critic can learn."""
    return introduced(settings, "env.normalize.rewards", True, unset=False)


def more_exploration(settings: Settings) -> list[Change]:
    """Changes that keep a policy from becoming certain: a bonus, or steps that are not wild."""
    path, steps = "losses.entropy.beta", smaller_steps(settings)
    bonus = [
        *adjusted(settings, path, lambda beta: beta * 3),
        *introduced(settings, path, 0.01, unset=0.0),
    ]
    return [*steps, *bonus] if any(map(_wild, steps[:1])) else [*bonus, *steps]


def less_exploration(settings: Settings) -> list[Change]:
    """A smaller bonus for entropy."""
    return adjusted(settings, "losses.entropy.beta", lambda beta: beta / 10)


def better_critic(settings: Settings) -> list[Change]:
    """Changes that let the value function learn: its weight, its rate, the rewards' scale."""
    return [
        *adjusted(settings, "losses.value.coefficient", lambda old: 0.5 if old < 0.1 else old),
        *adjusted(settings, "optimizer.critic.lr", lambda rate: min(rate * 3, max(rate, 1e-3))),
        *normalised_rewards(settings),
    ]


def longer_horizon(settings: Settings) -> list[Change]:
    """A discount by which later rewards count."""
    return adjusted(settings, "advantage.gamma", lambda gamma: 0.99)


def another_start(settings: Settings) -> list[Change]:
    """Changes to try where nothing is learnt and nothing else is wrong."""
    return [
        *adjusted(
            settings, "optimizer.actor.lr", lambda rate: rate if 1e-4 <= rate <= 3e-3 else 3e-4
        ),
        *introduced(settings, "losses.entropy.beta", 0.01, unset=0.0),
        *introduced(settings, "env.normalize.observations", True, unset=False),
    ]
