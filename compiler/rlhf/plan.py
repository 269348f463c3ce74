"""All that the emitter of a language model's module needs."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from ppoc.compiler.formula.objectives import Objective
from ppoc.compiler.rlhf.constants import reference
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.language.values import Stage


@dataclass(frozen=True)
class RlhfPlan:
    """A spec with where its files are.

    Attributes:
        files: role of a data file → its path beside the module.
        places: `model`, `tokenizer`, `policy`, `reward` → where what the spec names is.
        compiled: stages whose blocks are compiled.
    """

    spec: RlhfSpec
    files: Mapping[str, str]
    places: Mapping[str, str]
    compiled: Set[Stage] = frozenset()

    @property
    def policy_objective(self) -> Objective:
        """Objective of the policy."""
        return self.spec.ppo.policy_objective

    @property
    def value_objective(self) -> Objective:
        """Objective of the value function."""
        return self.spec.ppo.value_objective

    @property
    def reference(self) -> str:
        """Stage that the policy of PPO starts from, and is compared with."""
        return reference(self.spec)

    @property
    def reward_start(self) -> str:
        """Stage that the reward model starts from."""
        return self.reference if self.spec.reward.start == "sft" else "base"

    @property
    def lora(self) -> bool:
        """Whether a change of low rank learns in place of the weights."""
        return self.spec.model.lora is not None

    def has(self, stage: Stage) -> bool:
        """Whether a stage is to be made."""
        return stage in self.spec.stages


def required(plan: RlhfPlan) -> str:
    """The argument that ends a run which cannot compile, where the spec wants that."""
    return ", required=True" if plan.spec.training.compile == "always" else ""
