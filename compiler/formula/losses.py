"""Sections of losses, as far as they are the same in the language of each kind."""

from typing import Annotated

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Formula, OptionName


class PolicyLoss(BaseModel):
    """The surrogate objective of the policy."""

    model_config = STRICT
    objective: Formula = Field(
        "clip",
        description="What is maximised: clip, ratio, score, kl-penalty, or a formula of your own.",
    )
    parameters: dict[OptionName, float] = Field(
        default_factory=dict, description="Further numbers that the formula names."
    )
    epsilon: Annotated[float, Field(gt=0, le=10)] = Field(
        0.2, description="Clip range ε of the probability ratio."
    )


class ValueLoss(BaseModel):
    """The error of the value function."""

    model_config = STRICT
    objective: Formula = Field(
        "squared", description="What is minimised: squared, or a formula of your own."
    )
    parameters: dict[OptionName, float] = Field(
        default_factory=dict, description="Further numbers that the formula names."
    )


class EntropyBonus(BaseModel):
    """The maximum-entropy term."""

    model_config = STRICT
    beta: Annotated[float, Field(ge=0)] = Field(0.0, description="Weight β of the entropy bonus.")
