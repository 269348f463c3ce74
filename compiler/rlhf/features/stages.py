"""Supervised fine-tuning and the reward model."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code
from ppoc.compiler.rlhf.optimizers import adamw_lines, every, factor_lines
from ppoc.compiler.rlhf.plan import RlhfPlan, required


class Rates(Feature):
    """A step of AdamW, whose rates may change."""

    plan: RlhfPlan

    def words(self) -> Mapping[str, Any]:
        changing = changing_rates(self.plan)
        default = "" if all(changing) else " = 1.0"
        held_out = self.plan.spec.data.held_out > 0
        return {
            "descend_arguments": [Code(f"factor: float{default}")] if any(changing) else [],
            "at_factor": Code(", at `factor` times its rates" if any(changing) else ""),
            "held_out_texts": Code("held_out" if held_out else "_"),
        }


class ScaledRates(Feature):
    """Rates that change over a stage."""

    template = "rlhf_models/scaled_rates"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return any(changing_rates(plan))


class Sft(Feature):
    """Supervised fine-tuning."""

    template = "sft/sft"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("sft")

    def words(self) -> Mapping[str, Any]:
        compiling = f"rlhf.compile_blocks(lm.base_model, run.message{required(self.plan)})"
        groups = "[(lm.parameters(), SFT_LEARNING_RATE)]"
        return stage_words(self.plan, "sft", [compiling], groups)

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": numpy_of_points(self.plan)}


class LossOnAll(Feature):
    """A loss on all tokens of a demonstration."""

    template = "sft/loss_on_all"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.sft.loss_on == "all"


class LossOnResponses(Feature):
    """A loss on the tokens of responses."""

    template = "sft/loss_on_responses"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.sft.loss_on != "all"


class RewardModel(Feature):
    """A model that scores whole texts."""

    template = "reward_models/reward_model"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("reward") or plan.has("ppo")

    def words(self) -> Mapping[str, Any]:
        start = self.plan.reward_start
        if start == "base":
            whose, made = "the language model", "make_model(tokenizer)"
        else:
            whose, made = "the supervised policy", f'load_policy(root, "{start}", tokenizer)'
        return {"reward_starts_with": Code(whose), "reward_start": Code(made)}


class RewardLearning(Feature):
    """Learning to score as people rank."""

    template = "reward_models/reward_learning"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("reward")

    def words(self) -> Mapping[str, Any]:
        compiling = [
            "# The answers to a prompt begin alike.",
            f"rlhf.compile_blocks(model.trunk, run.message, alike=True{required(self.plan)})",
        ]
        groups = "[(model.parameters(), REWARD_LEARNING_RATE)]"
        return stage_words(self.plan, "reward", compiling, groups)

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": numpy_of_points(self.plan)}


class PairsLoss(Feature):
    """The likelihood of each pair (Bradley and Terry 1952)."""

    template = "reward_models/pairs_loss"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("reward") and plan.spec.reward.objective == "pairs"

    def words(self) -> Mapping[str, Any]:
        margin = self.plan.spec.reward.margin > 0
        return {
            "minus_margin": Code(" − margin" if margin else ""),
            "less_margin": Code(" - REWARD_MARGIN" if margin else ""),
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": ["from torch.nn.functional import logsigmoid"]}


class RankingsLoss(Feature):
    """The likelihood of each ranking (Plackett 1975)."""

    template = "reward_models/rankings_loss"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.has("reward") and plan.spec.reward.objective != "pairs"

    def words(self) -> Mapping[str, Any]:
        margin = self.plan.spec.reward.margin > 0
        lower = ", which are to be\n    REWARD_MARGIN lower"
        among = " + REWARD_MARGIN * (column > column.unsqueeze(1))"
        return {
            "lower_by_margin": Code(lower if margin else ""),
            "among_others": Code(among if margin else ".expand(-1, size, -1)"),
        }


class CenteredScores(Feature):
    """Scores that are kept near 0."""

    template = "reward_models/centered_scores"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.reward.center > 0


class FreeScores(Feature):
    """Scores of which only differences count."""

    template = "reward_models/free_scores"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.reward.center <= 0


def stage_words(
    plan: RlhfPlan, stage: Literal["sft", "reward"], compiling: Sequence[str], groups: str
) -> dict[str, Any]:
    """Words of a stage that learns from batches: its optimiser, its counts, its rates."""
    prefix = f"{stage.upper()}_"
    optimizer = plan.spec.sft.optimizer if stage == "sft" else plan.spec.reward.optimizer
    factor = factor_lines(prefix, optimizer, "update", "updates")
    counted = bool(factor) or plan.spec.training.checkpoint_every is None
    counts = []
    if counted or plan.spec.data.held_out > 0:
        counts.append(f"per_epoch = math.ceil(len(learn) / {prefix}BATCH_SIZE)")
    if counted:
        counts.append(f"updates = {prefix}EPOCHS * per_epoch")
    compiled = [Code(line) for line in compiling] if stage in plan.compiled else []
    return {
        f"{stage}_optimizer": [*compiled, *adamw_lines(prefix, optimizer, groups)],
        f"{stage}_counts": [Code(line) for line in counts],
        f"{stage}_factor": factor,
        f"{stage}_factor_argument": Code(", factor" if factor else ""),
        f"{stage}_times_factor": Code(" * factor" if factor else ""),
        f"{stage}_every": every(plan.spec, "updates"),
    }


def numpy_of_points(plan: RlhfPlan) -> list[str]:
    """The import of NumPy, where a schedule is given by points."""
    optimizers = (plan.spec.sft.optimizer, plan.spec.reward.optimizer)
    points = any(isinstance(optimizer.schedule, list) for optimizer in optimizers)
    return ["import numpy as np"] if points else []


def changing_rates(plan: RlhfPlan) -> list[bool]:
    """Whether the rates of each stage change."""
    optimizers = {
        "sft": plan.spec.sft.optimizer,
        "reward": plan.spec.reward.optimizer,
        "ppo": plan.spec.ppo.optimizer,
    }
    return [bool(factor_lines("", optimizers[stage], "", "")) for stage in plan.spec.stages]
