"""The sections `advantage` and `losses`: what is learnt from a rollout."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ppoc.compiler.front.values import (
    SCHEDULE,
    STRICT,
    Formula,
    Fraction,
    OptionName,
    Positive,
    Schedule,
)


class Advantage(BaseModel):
    """The weight of the score function."""

    model_config = ConfigDict(**STRICT, populate_by_name=True)
    estimator: Literal["gae", "q", "reward-to-go", "return"] = Field(
        "gae",
        description="gae: generalised advantage estimation (Schulman et al. 2016). q: the critic "
        "is an action-value function Q(s, a) and weighs the score itself. Without a critic "
        "reward-to-go, or the return of the whole episode.",
    )
    baseline: Literal["none", "mean"] = Field(
        "none",
        description="What reward-to-go and return are compared with; mean: of the whole batch.",
    )
    gamma: Fraction = Field(0.99, description="Discount factor γ.")
    lambda_: Fraction = Field(
        0.95, alias="lambda", description="λ of GAE: 0 is the TD error, 1 return minus value."
    )
    normalize: bool = Field(
        True, description="Scale advantages to mean 0 and deviation 1 in each minibatch."
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
