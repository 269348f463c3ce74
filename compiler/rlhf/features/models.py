"""Models, tokenizers, and what learns of them."""

import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from ppoc.compiler.emission.constants import Constant
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code, prose
from ppoc.compiler.emission.rendering import WIDTH
from ppoc.compiler.rlhf.constants import constants
from ppoc.compiler.rlhf.plan import RlhfPlan

LEARNT = {"sft": "supervised fine-tuning", "reward": "the reward model", "ppo": "PPO against it"}
IMPORTS = (
    "import math",
    "import sys",
    "from pathlib import Path",
    "from typing import Any",
    "import torch",
    "from torch import Tensor",
    "from torch import nn",
    "from ppoc.runtime import rlhf",
)


def constants_of(plan: RlhfPlan) -> list[list[Constant]]:
    """The constants of a plan's module, in the groups they are printed in."""
    groups = constants(
        plan.spec, plan.files, plan.places, plan.policy_objective, plan.value_objective
    )
    return [group for group in groups if group]


class Contents(Feature):
    """Title and constants of a module."""

    plan: RlhfPlan

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        return {
            "title": self.title(),
            "steps": Code(self.steps()),
            "shapes_note": self.shapes_note(),
            "constants": constants_of(plan),
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": IMPORTS}

    def title(self) -> Code:
        """The first lines of the module's docstring."""
        model, name = self.plan.spec.model, self.plan.spec.name
        what = f"a {model.config.architecture} model" if model.config else "a language model"
        text = f"{name}: {what} learns from human feedback, written by ppoc {version('ppoc')}."
        return Code(textwrap.fill(prose(text), WIDTH, initial_indent="   ")[3:])

    def steps(self) -> str:
        """The name of the module's steps."""
        names = [LEARNT[stage] for stage in self.plan.spec.stages]
        if len(names) == 1:
            return f"{names[0] if names != ['PPO against it'] else 'PPO against a reward model'}."
        return "the steps of [InstructGPT]"

    def shapes_note(self) -> Code:
        """The letters of shapes, with their numbers."""
        parts = [
            "B texts in a batch, L tokens in the longest of them, padded on the right, R tokens of "
            "responses among them"
        ]
        if self.plan.has("reward"):
            parts.append("K answers in a ranking")
        if self.plan.has("ppo"):
            parts.append(f"N = {self.plan.spec.ppo.rollout_size} responses a rollout")
        parts.append("H components of a hidden state, V tokens in the vocabulary")
        return Code(textwrap.fill(f"Shapes: {'; '.join(parts)}.", WIDTH))


class SeveralStages(Feature):
    """A module of several stages."""

    template = "rlhf_models/several_stages"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return len(plan.spec.stages) > 1


class OneStage(Feature):
    """A module of one stage."""

    template = "rlhf_models/one_stage"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return len(plan.spec.stages) == 1


class Tokenizer(Feature):
    """Where tokens come from."""

    kinds: ClassVar[tuple[str, ...]]
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return cls.kind(plan) in cls.kinds

    @staticmethod
    def kind(plan: RlhfPlan) -> str:
        """byte, bpe, inherited (from the run it starts from), own (the model's) or named."""
        model = plan.spec.model
        if isinstance(model.tokenizer, dict):
            return "bpe" if plan.spec.data.demonstrations is not None else "inherited"
        if model.tokenizer is None:
            return "byte" if model.id is None else "own"
        return "byte" if model.tokenizer == "byte" else "named"


class ByteTokenizer(Tokenizer):
    """One token a byte."""

    template = "rlhf_models/byte_tokenizer"
    kinds = ("byte",)


class BpeTokenizer(Tokenizer):
    """Byte pairs of the demonstrations."""

    template = "rlhf_models/bpe_tokenizer"
    kinds = ("bpe",)


class InheritedTokenizer(Tokenizer):
    """Byte pairs of the run that this one starts from."""

    template = "rlhf_models/inherited_tokenizer"
    kinds = ("inherited",)


class PretrainedTokenizer(Tokenizer):
    """The model's tokenizer, or another."""

    template = "rlhf_models/pretrained_tokenizer"
    kinds = ("own", "named")

    def words(self) -> Mapping[str, Any]:
        own = self.kind(self.plan) == "own"
        revised = own and self.plan.spec.model.revision is not None
        return {
            "whose_tokenizer": Code("comes with the model" if own else "the spec names"),
            "tokenizer_revision": Code(", MODEL_REVISION" if revised else ""),
        }


class PretrainedModel(Feature):
    """A model that was trained before."""

    template = "rlhf_models/pretrained_model"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.model.id is not None

    def words(self) -> Mapping[str, Any]:
        revised = self.plan.spec.model.revision is not None
        return {"model_revision": Code(", revision=MODEL_REVISION" if revised else "")}


class NewModel(Feature):
    """A model with random weights."""

    template = "rlhf_models/new_model"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.model.id is None


class Lora(Feature):
    """Changes of low rank (Hu et al. 2022)."""

    template = "rlhf_models/lora"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.lora

    def words(self) -> Mapping[str, Any]:
        return {
            "learnt_model": Code("add_lora(make_model(tokenizer))"),
            "unloaded_reward_model": Code("new_reward_model(root, tokenizer)"),
        }


class WholeWeights(Feature):
    """All weights learn."""

    template = "rlhf_models/whole_weights"
    plan: RlhfPlan

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return not plan.lora

    def words(self) -> Mapping[str, Any]:
        return {
            "learnt_model": Code("make_model(tokenizer)"),
            "unloaded_reward_model": Code("RewardModel(make_model(tokenizer))"),
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": ["import copy"] if self.plan.has("ppo") else []}


class LoraPolicies(Feature):
    """Policies of stages, as sums of changes."""

    template = "rlhf_models/lora_policies"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.lora and loads_policy(plan)


class LoraFromRun(Feature):
    """A run whose policy is changed."""

    template = "rlhf_models/lora_from_run"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.reference == "start"


class PoliciesFromBase(Feature):
    """Policies of stages, or the model as it came."""

    template = "rlhf_models/policies_from_base"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return not plan.lora and loads_policy(plan) and plan.reference == "base"


class Policies(Feature):
    """Policies of stages."""

    template = "rlhf_models/policies"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return not plan.lora and loads_policy(plan) and plan.reference != "base"


class Dropout(Feature):
    """Dropout, with noise that a resumed run draws again."""

    template = "rlhf_models/dropout"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        model = plan.spec.model
        own = model.config.dropout if model.config else 1.0
        return (own or (model.lora.dropout if model.lora else 0.0)) > 0


class HeldOut(Feature):
    """Texts that are not learnt from, but measured on."""

    template = "rlhf_models/held_out"

    @classmethod
    def applies(cls, plan: RlhfPlan) -> bool:
        return plan.spec.data.held_out > 0


def loads_policy(plan: RlhfPlan) -> bool:
    """Whether a stage starts from the policy of another."""
    return plan.spec.stages != ["reward"] or plan.spec.reward.start == "sft"
