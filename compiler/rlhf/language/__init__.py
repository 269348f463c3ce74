"""The language of `kind: rlhf`: supervised fine-tuning, a reward model, PPO with a KL penalty.

One pydantic model a section, as in ppoc.compiler.agent.language, whose notation this shares.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Lock, Name, One
from ppoc.compiler.rlhf.language.data import Data
from ppoc.compiler.rlhf.language.model import Model, Start
from ppoc.compiler.rlhf.language.ppo import Ppo
from ppoc.compiler.rlhf.language.stages import Reward, Sft
from ppoc.compiler.rlhf.language.training import Evaluation, Training
from ppoc.compiler.rlhf.language.values import STAGES, Stage


class RlhfSpec(BaseModel):
    """A language model, and the three steps of learning from human feedback."""

    model_config = STRICT
    ppoc: One = Field(description="Version of the spec language.")
    kind: Literal["rlhf"] = Field(description="rlhf: learning from human feedback.")
    name: Name = Field(description="Name of the model; run folders carry it.")
    stages: Annotated[list[Stage], Field(min_length=1, max_length=3)] = Field(
        default=list(STAGES), description="The steps to make, in this order."
    )
    start: Start = Field(default_factory=Start)
    model: Model
    data: Data = Field(default_factory=Data)
    sft: Sft = Field(default_factory=Sft)
    reward: Reward = Field(default_factory=Reward)
    ppo: Ppo = Field(default_factory=Ppo)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    training: Training = Field(default_factory=Training)
    lock: Lock | None = Field(None, description="Only in spec.lock.yaml.")
