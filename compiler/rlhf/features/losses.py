"""The losses of PPO on tokens, whose blocks agents have as well."""

from ppoc.compiler.emission.features import Feature
from ppoc.compiler.rlhf.plan import RlhfPlan


class PolicyLoss(Feature):
    """The policy's objective as a part of the loss."""

    template = "losses/policy_loss"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("ppo")


class ValueLoss(PolicyLoss):
    """The value function's objective as a part of the loss."""

    template = "losses/value_loss"


class Ratio(PolicyLoss):
    """The ratio of new to old probabilities."""

    template = "losses/ratio"


class SampledKl(PolicyLoss):
    """An estimate of the KL divergence, from the samples."""

    template = "losses/sampled_kl"


class PlainAdvantages(PolicyLoss):
    """Advantages as they are."""

    template = "losses/plain_advantages"


class ClipFraction(PolicyLoss):
    """The share of tokens whose ratio is clipped."""

    template = "losses/clip_fraction"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return super().applies(plan) and bool(plan.policy_objective.clips_ratio)
