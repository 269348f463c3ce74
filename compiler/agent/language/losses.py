"""The section `losses`: the terms of the loss."""

from typing import Annotated

from pydantic import BaseModel, Field

from ppoc.compiler.formula import losses
from ppoc.compiler.front.values import (
    SCHEDULE,
    STRICT,
    Positive,
    Schedule,
)


class PolicyLoss(losses.PolicyLoss):
    """The surrogate objective of the policy."""

    schedule: Schedule = Field("constant", description=f"Of ε; {SCHEDULE}")
    kl_target: Positive | None = Field(
        None, description="Double or halve the parameter kl_weight to keep the KL near this."
    )


class ValueLoss(losses.ValueLoss):
    """The error of the value function."""

    coefficient: Annotated[float, Field(ge=0)] = Field(
        0.5, description="Weight of the mean error, mean((V − R)²) for squared, in the loss."
    )
    schedule: Schedule = Field("constant", description=f"Of the coefficient; {SCHEDULE}")
    clip: Positive | None = Field(
        None,
        description="Keep new values within ± this of old ones; null: do not. A formula calls it "
        "value_clip.",
    )


class EntropyBonus(losses.EntropyBonus):
    """The maximum-entropy term."""

    schedule: Schedule = Field("constant", description=f"Of β; {SCHEDULE}")


class Losses(BaseModel):
    """The terms of the loss."""

    model_config = STRICT
    policy: PolicyLoss = Field(default_factory=PolicyLoss)
    value: ValueLoss = Field(default_factory=ValueLoss)
    entropy: EntropyBonus = Field(default_factory=EntropyBonus)
