"""The section `losses`: the terms of the loss."""

from typing import Annotated

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import (
    SCHEDULE,
    STRICT,
    Formula,
    OptionName,
    Positive,
    Schedule,
)


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
    schedule: Schedule = Field("constant", description=f"Of ε; {SCHEDULE}")
    kl_target: Positive | None = Field(
        None, description="Double or halve the parameter kl_weight to keep the KL near this."
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
    coefficient: Annotated[float, Field(ge=0)] = Field(
        0.5, description="Weight of the mean error, mean((V − R)²) for squared, in the loss."
    )
    schedule: Schedule = Field("constant", description=f"Of the coefficient; {SCHEDULE}")
    clip: Positive | None = Field(
        None,
        description="Keep new values within ± this of old ones; null: do not. A formula calls it "
        "value_clip.",
    )


class EntropyBonus(BaseModel):
    """The maximum-entropy term."""

    model_config = STRICT
    beta: Annotated[float, Field(ge=0)] = Field(0.0, description="Weight β of the entropy bonus.")
    schedule: Schedule = Field("constant", description=f"Of β; {SCHEDULE}")


class Losses(BaseModel):
    """The terms of the loss."""

    model_config = STRICT
    policy: PolicyLoss = Field(default_factory=PolicyLoss)
    value: ValueLoss = Field(default_factory=ValueLoss)
    entropy: EntropyBonus = Field(default_factory=EntropyBonus)
