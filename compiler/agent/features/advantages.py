"""Estimators of the advantage, their baselines, and importance weights of old rollouts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code

RATIOS_OF_GAE = """ `ratios` are the
    ρ = π/μ of the decisions, so that old rollouts count as the policy π would have acted ([PD])."""
RATIOS_OF_RETURNS = """

    `ratios` are the ρ = π/μ of the decisions: each reward counts by the product over the decisions
    that led to it, so that old rollouts count as the policy π would have acted ([PD]).
    """


class Estimator(Feature):
    """How advantages come about."""

    estimators: ClassVar[tuple[str, ...]]
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.advantage.estimator in cls.estimators

    def words(self) -> Mapping[str, Any]:
        weighed = self.plan.weighs_decisions
        return {
            "rho": Code("ρₜ₊₁ " if weighed else ""),
            "gae_note": Code(RATIOS_OF_GAE if weighed else ""),
            "returns_note": Code(RATIOS_OF_RETURNS if weighed else ""),
        }


class Gae(Estimator):
    """Generalised advantage estimation (Schulman et al. 2016)."""

    template = "advantages/gae"
    estimators = ("gae",)

    def words(self) -> Mapping[str, Any]:
        first = "ratios * advantages" if self.plan.weighs_decisions else "advantages"
        return {
            **super().words(),
            "target_note": Code("advantage + V_old(s)"),
            "value_targets": f"{first} + values",
            "residuals": Code("batch.advantages"),
        }


class VTrace(Estimator):
    """Values and advantages by truncated ratios (Espeholt et al. 2018)."""

    template = "advantages/vtrace"
    estimators = ("v-trace",)

    def words(self) -> Mapping[str, Any]:
        return {
            **super().words(),
            "target_note": Code("v of [VT]"),
            "value_targets": "targets",
        }


class RewardToGo(Estimator):
    """Sums of rewards, from a step on or of its whole episode."""

    template = "advantages/reward_to_go"
    estimators = ("reward-to-go", "return")

    def words(self) -> Mapping[str, Any]:
        whole = self.plan.spec.advantage.estimator == "return"
        return {
            **super().words(),
            "returns_function": Code("episode_returns" if whole else "reward_to_go"),
        }


class EpisodeReturns(Feature):
    """The return of the whole episode for each of its steps."""

    template = "advantages/episode_returns"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.advantage.estimator == "return"


class ActionValues(Estimator):
    """Values of a state and an action (Sutton et al. 1999, theorem 1)."""

    template = "advantages/action_values"
    estimators = ("q",)

    def words(self) -> Mapping[str, Any]:
        return {
            **super().words(),
            "target_note": Code("r + γ Q(s′, a′)"),
            "value_targets": "td_targets(rewards, next_values, terminated)",
            "residuals": Code("residuals"),
        }


class ActionValuesOfChoices(Feature):
    """The expected value over the choices of the policy."""

    template = "advantages/action_values_of_choices"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.learns_action_values and plan.policy == "categorical"


class ActionValuesOfDraws(Feature):
    """The value of an action that the policy might take next."""

    template = "advantages/action_values_of_draws"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.learns_action_values and plan.policy == "gaussian"

    def words(self) -> Mapping[str, Any]:
        generator = "generator" if self.plan.device_rollout else "rng"
        rollouts = "BUFFER_ROLLOUTS * " if self.plan.spec.update.buffer else ""
        length = "length" if self.plan.shortens else "ROLLOUT_LENGTH"
        lines = [f"next_noise = draw_noise({generator}, {length}, {rollouts}NUM_ENVS)"]
        if not self.plan.device_rollout:
            lines.append("next_noise = torch.as_tensor(next_noise, device=run.device)")
        return {"next_noise_lines": [Code(line) for line in lines]}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        noise = [Code("next_noise")]
        fields = [Code("next_noise=True,")]
        return {
            "make_batch_arguments": noise,
            "batch_arguments": noise,
            "learning_fields": fields,
        }


class ActionValueResiduals(Feature):
    """Residuals of action values: the part of their targets that these leave unexplained."""

    template = "advantages/action_value_residuals"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.learns_action_values and not plan.weighs_decisions


class DecisionRatios(Feature):
    """Ratios ρ = π/μ of the decisions of old rollouts."""

    template = "advantages/decision_ratios"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.weighs_decisions

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"typed_ratios": [Code("ratios: Tensor")], "ratios": [Code("ratios")]}


class PerDecisionImportance(Feature):
    """Products of the ratios of an episode's decisions (Precup et al. 2000)."""

    template = "advantages/per_decision_importance"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        weight = estimator_of(plan.spec.advantage).sample_weight
        return plan.weighs_decisions and weight is not None

    def words(self) -> Mapping[str, Any]:
        clips = self.plan.clips_importance
        return {
            "importance_limit": Code(";\n    at most IMPORTANCE_CLIP" if clips else ""),
            "importance_clamp": Code(".clamp(max=IMPORTANCE_CLIP)" if clips else ""),
        }


class LogProbsOfBatch(Feature):
    """Log-probabilities under the policy before the update."""

    template = "advantages/log_probs_of_batch"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        buffer = plan.spec.update.buffer is not None
        return not plan.searches and (plan.weighs_decisions or not buffer)


class StateValues(Feature):
    """Values of the states of a rollout, and of their successors."""

    template = "advantages/state_values"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.has_critic and not plan.learns_action_values and not ImageValues.applies(plan)


class ImageValues(Feature):
    """Values of images, each evaluated once."""

    template = "advantages/image_values"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        plain = plan.has_critic and not plan.learns_action_values
        return plain and plan.facts.images and not plan.memory

    def words(self) -> Mapping[str, Any]:
        elsewhere = "next_observations[elsewhere]"
        body = self.plan.networks.has_body
        return {"elsewhere_inputs": Code(f"body(p, {elsewhere})" if body else elsewhere)}


class MeanBaseline(Feature):
    """The mean over the batch, taken off."""

    template = "advantages/mean_baseline"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.advantage.baseline == "mean" and plan.spec.update.sampling != "episodes"


class MeanBaselineOfEpisodes(Feature):
    """The mean over the batch's whole episodes, taken off."""

    template = "advantages/mean_baseline_of_episodes"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.advantage.baseline == "mean" and plan.spec.update.sampling == "episodes"
