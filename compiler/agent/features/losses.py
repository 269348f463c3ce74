"""The loss: the policy's objective, the critic's, and the entropy."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.schedules import scheduled
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code
from ppoc.compiler.formula.explanation import objective_comment
from ppoc.compiler.formula.notation import statements


class Loss(Feature):
    """The batch that is learnt from, and the loss on it."""

    template = "losses/loss"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        buffer, normalize = plan.spec.update.buffer, plan.spec.env.normalize
        kind = "B samples, with T and N flattened into one axis"
        if buffer:
            kind = "K·B samples, with T, K and N flattened into one axis B"
        elif plan.memory:
            kind = "B samples in stretches of L steps of one environment"
        of_others = buffer is not None and not plan.weighs_decisions
        either = normalize.observations or normalize.rewards
        return {
            "batch_kind": Code(kind),
            "rollout_kind": Code("an Experience's" if buffer else "a Rollout's"),
            "normalised_note": Code(", normalised" if either else ""),
            "declared_normalised": Code(", normalised" if normalize.observations else ""),
            "whose_log_probs": Code(", of the policy that acted" if of_others else ""),
            "log_probs_of_batch": "behaviour" if of_others else "log_probs",
            "mean": self.mean,
            "policy_comment": objective_comment(plan.policy_objective, "Maximise"),
            "policy_lines": statements(plan.policy_objective.tree, "objective", self.renamed()),
        }

    def mean(self, samples: str) -> Code:
        """The mean of some samples, over those that count."""
        if self.plan.spec.update.sampling == "episodes":
            return Code(f"(weights * {samples}).sum()")
        return Code(f"{samples}.mean()")

    def renamed(self) -> dict[str, Code]:
        """Constants of the objective that an argument stands for, since they are scheduled."""
        return {str(row.constant): row.argument for row in scheduled(self.plan) if row.of_loss}


class PolicyLoss(Feature):
    """The policy's objective as a part of the loss."""

    template = "losses/policy_loss"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.optimizer.trust_region is None

    def words(self) -> Mapping[str, Any]:
        sources = {"entropy": "mean_entropy", "approx_kl": "kl.mean()"}
        names = (name for name in metric_names(self.plan) if name not in ("grad_norm", "skipped"))
        return {"stacked": Code(", ".join(sources.get(name, name) for name in names))}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {
            "loss_terms": [Code("policy_loss")],
            "learning_fields": objective_fields(self.plan, "loss"),
        }


class Ratio(Feature):
    """The ratio of new to old probabilities."""

    template = "losses/ratio"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        used = any(plan.policy_objective.uses(x) for x in ("ratio", "kl"))
        return PolicyLoss.applies(plan) or (not plan.searches and used)


class SampledKl(Feature):
    """An estimate of the KL divergence, from the samples."""

    template = "losses/sampled_kl"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        used = not plan.searches and plan.policy_objective.uses("kl")
        return PolicyLoss.applies(plan) or used


class PlainAdvantages(Feature):
    """Advantages as they are."""

    template = "losses/plain_advantages"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.spec.advantage.normalize


class NormalizedAdvantages(Feature):
    """Advantages of mean 0 and deviation 1 in a minibatch."""

    template = "losses/normalized_advantages"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.advantage.normalize and plan.spec.update.sampling != "episodes"


class NormalizedAdvantagesOfEpisodes(Feature):
    """The same, over the whole episodes."""

    template = "losses/normalized_advantages_of_episodes"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.advantage.normalize and plan.spec.update.sampling == "episodes"


class ClipFraction(Feature):
    """The share of samples whose ratio is clipped."""

    template = "losses/clip_fraction"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and bool(plan.policy_objective.clips_ratio)


class Critic(Feature):
    """The critic's objective."""

    template = "losses/critic"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.has_critic and not plan.searches

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        return {
            "critic_action": Code(", batch.actions" if plan.learns_action_values else ""),
            "value_coefficient": argument_or_constant(plan, "value_coefficient"),
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        coefficient = argument_or_constant(self.plan, "value_coefficient")
        return {"loss_terms": [Code(f" + {coefficient} * value_loss")]}


class ValueLoss(Feature):
    """The critic's objective as a part of the loss."""

    template = "losses/value_loss"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return Critic.applies(plan)

    def words(self) -> Mapping[str, Any]:
        objective = self.plan.value_objective
        return {
            "value_comment": objective_comment(objective, "Minimise"),
            "value_lines": statements(objective.tree, "error", {}),
        }


class OldValues(Feature):
    """Values before the update, which the critic's objective compares with."""

    template = "losses/old_values"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return Critic.applies(plan) and plan.value_objective.uses("V_old")


class ValueWeights(Feature):
    """Weights of whole episodes, where the policy's objective is elsewhere."""

    template = "losses/value_weights"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        region = plan.spec.optimizer.trust_region is not None
        return Critic.applies(plan) and region and plan.spec.update.sampling == "episodes"


class EntropyBonus(Feature):
    """A bonus for entropy."""

    template = "losses/entropy_bonus"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.losses.entropy.beta > 0

    def words(self) -> Mapping[str, Any]:
        return {"entropy_coefficient": argument_or_constant(self.plan, "entropy_coefficient")}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        coefficient = argument_or_constant(self.plan, "entropy_coefficient")
        return {"loss_terms": [Code(f" - {coefficient} * mean_entropy")]}


class ExplainedVariance(Feature):
    """The share of the targets' variance that the critic explains."""

    template = "losses/explained_variance"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return Critic.applies(plan) and not plan.weighs_decisions


def argument_or_constant(plan: Plan, name: str) -> Code:
    """A value's name: an argument's, where it is scheduled, else its constant's."""
    names = {str(row.argument): row.argument for row in scheduled(plan)}
    return names.get(name, Code(name.upper()))


def objective_fields(plan: Plan, function: str) -> list[Code]:
    """Fields of the interface: the objective that gradients of the policy are of."""
    constants = [row.constant for row in scheduled(plan) if row.of_loss]
    arguments = f"arguments=({', '.join(constants)}{',' * (len(constants) == 1)}),"
    return [Code(f"objective={function},"), *([Code(arguments)] if constants else [])]


def metric_names(plan: Plan) -> tuple[str, ...]:
    """Names of what `update` measures, in order."""
    skipped = ("skipped",) if plan.spec.training.on_divergence == "continue" else ()
    if plan.spec.optimizer.trust_region is not None:
        return ("value_loss", "grad_norm", *skipped)
    clip = ("clip_fraction",) if plan.policy_objective.clips_ratio else ()
    value = ("value_loss",) if plan.has_critic else ()
    return ("policy_loss", *value, "entropy", "approx_kl", *clip, "grad_norm", *skipped)
