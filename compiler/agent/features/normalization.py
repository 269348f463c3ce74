"""Running statistics: observations, rewards, and what a batch is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.constants import Setting
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code, literal

OBSERVATIONS = Setting("env.normalize.observations", True)
REWARDS = Setting("env.normalize.rewards", True)


class Seen(Feature):
    """Observations as the networks see them, and samples as a batch is made of them."""

    plan: Plan

    def words(self) -> Mapping[str, Any]:
        plan, normalize = self.plan, self.plan.spec.env.normalize
        statistics = ", with the observation statistics it was trained with"
        changed = bool(self.changes()) or plan.spec.update.buffer is not None
        return {
            "seen": self.seen,
            "with_statistics": Code(statistics if normalize.observations else ""),
            "samples": Code("samples" if changed else "rollout"),
            "sample_changes": self.changes(),
            "rewards_note": Code(self.rewards_note()),
        }

    def seen(self, observations: str) -> Code:
        """Observations, normalised where the spec says so."""
        if not self.plan.spec.env.normalize.observations:
            return Code(observations)
        scaling = ", scaling" if self.plan.device_rollout else ""
        return Code(f"normalize({observations}{scaling})")

    def changes(self) -> list[Code]:
        """Fields of a rollout that are others in a batch."""
        plan, normalize = self.plan, self.plan.spec.env.normalize
        changes = []
        if normalize.observations:
            scaling = ", moments.scaling()" if plan.device_rollout else ""
            changes += [
                f"{name}=normalize(rollout.{name}{scaling})"
                for name in ("observations", "next_observations")
            ]
        raw = "np.sign(rollout.rewards)" if clips_rewards(plan) else "rollout.rewards"
        if normalize.rewards:
            changes.append(
                "rewards=rewards" if plan.device_rollout else f"rewards=scale_rewards({raw}, ended)"
            )
        elif clips_rewards(plan):
            changes.append(f"rewards={raw}")
        return [Code(change) for change in changes]

    def rewards_note(self) -> str:
        if self.plan.spec.env.normalize.rewards:
            return "  # scaled, as they were when they came"
        return "  # their signs" if clips_rewards(self.plan) else ""


class Samples(Feature):
    """A rollout with some fields changed."""

    template = "normalization/samples"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        plain = not plan.searches and plan.spec.update.buffer is None
        return plain and bool(Seen(plan).changes())


class ObservationNormalization(Feature):
    """Observations of mean 0 and variance 1."""

    template = "normalization/observation_normalization"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.env.normalize.observations and not plan.device_rollout

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        same = "all candidates see the same" if plan.searches else "a rollout sees one policy"
        size = plan.facts.action_size
        plain = f", plain={literal(size)}" if plan.spec.env.action_masks else ""
        return {"why_not_before": Code(same), "plain_columns": Code(plain)}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {
            "statistics": [Code("normalize")],
            "typed_statistics": [Code("normalize: runtime.ObservationNormalizer")],
            "settings": [OBSERVATIONS],
        }


class DeviceObservationNormalization(Feature):
    """Observations of mean 0 and variance 1, on the device."""

    template = "normalization/device_observation_normalization"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.env.normalize.observations and plan.device_rollout

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"statistics": [Code("scaling")], "settings": [OBSERVATIONS]}


class RewardScaling(Feature):
    """Rewards divided by the deviation of their discounted sum."""

    template = "normalization/reward_scaling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.env.normalize.rewards and not (plan.device_rollout or plan.searches)

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"settings": [REWARDS]}


class DeviceRewardScaling(Feature):
    """The same, on the device."""

    template = "normalization/device_reward_scaling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.env.normalize.rewards and plan.device_rollout

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"settings": [REWARDS]}


class RewardClipping(Feature):
    """The signs of rewards, in a buffer."""

    template = "normalization/reward_clipping"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return clips_rewards(plan) and not plan.searches


class LargestReward(Feature):
    """The largest reward, where rewards are learnt from as they come."""

    template = "normalization/largest_reward"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        plain = not plan.spec.env.normalize.rewards and not clips_rewards(plan)
        return plain and not plan.searches


def clips_rewards(plan: Plan) -> bool:
    """Whether only the signs of rewards count."""
    return plan.spec.env.atari is not None and plan.spec.env.atari.clip_rewards
