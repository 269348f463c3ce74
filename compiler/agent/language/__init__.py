"""The spec language: one pydantic model a section, with its ranges, defaults and meaning.

The JSON Schema, the checks and the reference in docs/ all come from these models.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from ppoc.compiler.agent.estimators import Advantage
from ppoc.compiler.agent.evaluation import Evaluation
from ppoc.compiler.agent.language.env import Environment
from ppoc.compiler.agent.language.losses import Losses
from ppoc.compiler.agent.language.networks import Networks
from ppoc.compiler.agent.language.optimizer import Optimizers
from ppoc.compiler.agent.language.training import Training
from ppoc.compiler.agent.language.update import Update
from ppoc.compiler.formula.objectives import ObjectivesMixin
from ppoc.compiler.front.values import STRICT, Lock, Name, One


class AgentSpec(ObjectivesMixin, BaseModel):
    """An agent: what it acts in, what it is made of, and how it learns."""

    model_config = STRICT
    ppoc: One = Field(description="Version of the spec language.")
    kind: Literal["control"] = Field(
        "control",
        description="control: an agent in an environment. `kind: rlhf` is a language of its own, "
        "described below.",
    )
    name: Name = Field(description="Name of the agent; run folders carry it.")
    algorithm: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = Field(
        description="The preset the spec starts from, such as ppo."
    )
    env: Environment
    networks: Networks = Field(default_factory=Networks)
    advantage: Advantage = Field(default_factory=Advantage)
    losses: Losses = Field(default_factory=Losses)
    optimizer: Optimizers = Field(default_factory=Optimizers)
    update: Update = Field(default_factory=Update)
    training: Training = Field(default_factory=Training)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    lock: Lock | None = Field(None, description="Only in spec.lock.yaml.")

    @property
    def learns_action_values(self) -> bool:
        """Whether the critic values actions too."""
        return self.advantage.estimator == "q"
