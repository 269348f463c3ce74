"""PPO against the reward model, on tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.emission.constants import Setting
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code
from ppoc.compiler.formula.explanation import objective_comment
from ppoc.compiler.formula.notation import statements
from ppoc.compiler.rlhf.optimizers import adamw_lines, every, factor_lines
from ppoc.compiler.rlhf.plan import RlhfPlan, required

PENALTIES = {
    "k1": ("log(π(aₜ|sₜ) / π_ref(aₜ|sₜ))", "log_ratio"),
    "k2": ("½ ρₜ²", "(0.5 * log_ratio.square())"),
    "k3": ("(exp(−ρₜ) − 1 + ρₜ)", "((-log_ratio).exp() - 1 + log_ratio)"),
}
RATIO_NOTE = (
    "    with ρₜ = log(π(aₜ|sₜ) / π_ref(aₜ|sₜ)) (Schulman 2020, Approximating KL divergence).\n\n"
)


class Ppo(Feature):
    """Rollouts of responses, and updates on them."""

    template = "rlhf_ppo/ppo"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("ppo")

    def words(self) -> Mapping[str, Any]:
        plan, ppo = self.plan, self.plan.spec.ppo
        text, penalty = PENALTIES[ppo.kl.estimator]
        factor = factor_lines("", ppo.optimizer, "iteration", "NUM_ITERATIONS")
        of_update = [Code("factor")] if factor else []
        metrics = metric_names(plan)
        sources = {"approx_kl": "kl.mean()"}
        evaluates = ppo.rewards.normalize
        return {
            "metrics": metrics,
            "mean": lambda samples: Code(f"{samples}.mean()"),
            "stacked": Code(", ".join(sources.get(name, name) for name in metrics[:-1])),
            "penalty_text": Code(text),
            "penalty": Code(penalty),
            "penalty_note": Code(RATIO_NOTE if ppo.kl.estimator != "k1" else ""),
            "kl_weight": Code("KL_WEIGHT" if ppo.kl.target is None else "kl_weight"),
            "policy_arguments": self.policy_arguments(),
            "ppo_optimizer": self.optimizer(),
            "ppo_factor": factor,
            "ppo_factor_argument": Code(", factor" if factor else ""),
            "ppo_times_factor": Code(" * factor" if factor else ""),
            "ppo_every": every(plan.spec, "NUM_ITERATIONS"),
            "update_typed": [Code(f"{name}: float") for name in of_update],
            "update_arguments": of_update,
            "held_out_name": Code("_" if plan.spec.evaluation.every is None else "held_out"),
            "policy_comment": objective_comment(plan.policy_objective, "Maximise"),
            "policy_lines": statements(plan.policy_objective.tree, "objective", {}),
            "value_comment": objective_comment(plan.value_objective, "Minimise"),
            "value_lines": statements(plan.value_objective.tree, "error", {}),
            "sampling_arguments": self.sampling(),
            "score_lines": self.score_lines(),
            "scale_argument": Code(", scale" if evaluates else ""),
            "scale_keyword": Code(", scale=scale" if evaluates else ""),
            "tempered": Code(" / TEMPERATURE" if ppo.generation.temperature != 1 else ""),
            **self.entropy_words(),
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        ppo = self.plan.spec.ppo
        columns = ["tokens", "mask", "log_probs"]
        columns += ["values"] if self.plan.value_objective.uses("V_old") else []
        columns += ["whiten(advantages, mask)" if ppo.advantage.whiten else "advantages", "returns"]
        terms = [Code("policy_loss"), Code(" + VALUE_COEFFICIENT * value_loss")]
        if ppo.losses.entropy.beta > 0:
            terms.append(Code(" - ENTROPY_COEFFICIENT * entropies.mean()"))
        return {
            "imports": [
                "import functools",
                "from collections.abc import Callable",
                "from typing import NamedTuple",
                "import numpy as np",
            ],
            "loss_terms": terms,
            "rollout_columns": [Code(", ".join(columns))],
        }

    def policy_arguments(self) -> Code:
        """Arguments of `Policy`: a copy of the reference, and a value function of its own."""
        made = "add_lora(reference)" if self.plan.lora else "copy.deepcopy(reference)"
        separate = self.plan.spec.ppo.value == "separate"
        return Code(made + ", load_reward_model(run.root, tokenizer)" * separate)

    def optimizer(self) -> list[Code]:
        """Lines that compile blocks and make the optimiser."""
        ppo = self.plan.spec.ppo
        lines: list[Code] = []
        if "ppo" in self.plan.compiled:
            parts = ["lm.base_model", *(["value.trunk"] if ppo.value == "separate" else [])]
            lines = [
                Code(f"rlhf.compile_blocks(policy.{part}, run.message{required(self.plan)})")
                for part in parts
            ]
        rate = "LEARNING_RATE" if ppo.value_optimizer is None else "VALUE_LEARNING_RATE"
        groups = f"(policy.lm.parameters(), LEARNING_RATE), (policy.value.parameters(), {rate})"
        return [*lines, *adamw_lines("", ppo.optimizer, f"[{groups}]")]

    def sampling(self) -> list[Code]:
        """Arguments that bound what is sampled from."""
        generation = self.plan.spec.ppo.generation
        arguments = [Code("top_k=TOP_K")] if generation.top_k is not None else []
        return [*arguments, *([Code("top_p=TOP_P")] if generation.top_p < 1 else [])]

    def score_lines(self) -> list[Code]:
        """Lines from raw scores to those that are learnt from."""
        rewards = self.plan.spec.ppo.rewards
        value = "rlhf.raw_scores(model, prompts, responses, tokenizer, MINIBATCH_SIZE)"
        steps = ["(raw - mean) / deviation" if rewards.normalize else value]
        if rewards.clip is not None:
            steps.append("scores.clamp(-SCORE_CLIP, SCORE_CLIP)")
        if rewards.missing_end is None:
            return [*(Code(f"scores = {x}") for x in steps[:-1]), Code(f"return {steps[-1]}")]
        ended = "torch.tensor([r[-1] == tokenizer.end for r in responses], device=scores.device)"
        return [
            *(Code(f"scores = {step}") for step in steps),
            Code(f"ended = {ended}"),
            Code("return torch.where(ended, scores, MISSING_END_SCORE)"),
        ]

    def entropy_words(self) -> dict[str, Code]:
        """Words of the template for the values that the policy gives for each token."""
        entropy = self.plan.spec.ppo.losses.entropy.beta > 0
        more = ", entropies" if entropy else ""
        text = "log π, values and entropies" if entropy else "log π and values"
        return {
            "forward_type": Code(f"tuple[Tensor, Tensor{', Tensor' if entropy else ''}]"),
            "forward_text": Code(text),
            "evaluated": Code(f"log_probs, values{more}"),
            "returned": Code(f"log_prob(logits, tokens[mask]), values{more}"),
        }


class Whitening(Feature):
    """Advantages of mean 0 and deviation 1 over all tokens."""

    template = "rlhf_ppo/whitening"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.advantage.whiten


class SeparateValues(Feature):
    """A value function that was the reward model."""

    template = "rlhf_ppo/separate_values"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.value == "separate"


class SharedValues(Feature):
    """A value function as a head on the policy."""

    template = "rlhf_ppo/shared_values"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.value != "separate"


class EntropyBonus(Feature):
    """A bonus for the entropy of tokens."""

    template = "rlhf_ppo/entropy_bonus"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.losses.entropy.beta > 0


class EstimatedEntropy(Feature):
    """Entropy, estimated from the tokens drawn."""

    template = "rlhf_ppo/estimated_entropy"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.losses.entropy.beta <= 0


class OldValues(Feature):
    """Values before the update."""

    template = "rlhf_ppo/old_values"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.value_objective.uses("V_old")


class AdaptivePenalty(Feature):
    """A penalty that follows the divergence from the reference (Ziegler et al. 2019)."""

    template = "rlhf_ppo/adaptive_penalty"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.kl.target is not None


class NormalizedScores(Feature):
    """Scores on the scale of those of the first policy."""

    template = "rlhf_ppo/normalized_scores"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.rewards.normalize

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"settings": [Setting("ppo.rewards.normalize", True)]}


class RawScores(Feature):
    """Scores as the reward model gives them."""

    template = "rlhf_ppo/raw_scores"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return not plan.spec.ppo.rewards.normalize


class TargetKl(Feature):
    """Updates end early once the policy has moved too far."""

    template = "rlhf_ppo/target_kl"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.ppo.target_kl is not None


class Evaluation(Feature):
    """Scores of held-out prompts on the way."""

    template = "rlhf_ppo/evaluation"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.evaluation.every is not None


def metric_names(plan: RlhfPlan) -> tuple[str, ...]:
    """Names of what `update_ppo` measures, in order."""
    clip = ("clip_fraction",) if plan.policy_objective.clips_ratio else ()
    return ("policy_loss", "value_loss", "approx_kl", *clip, "grad_norm")
