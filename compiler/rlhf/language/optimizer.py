"""Optimisers of the stages."""

from typing import Annotated

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import SCHEDULE, STRICT, Positive, Schedule


class Optimizer(BaseModel):
    """AdamW (Loshchilov and Hutter 2019); without weight decay, Adam."""

    model_config = STRICT
    lr: Positive = Field(2e-5, description="Learning rate.")
    schedule: Schedule = Field("constant", description=f"Of the rate; {SCHEDULE}")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of the updates in which the rate rises from 0 to its schedule."
    )
    epsilon: Positive = Field(1e-8, description="ε in the denominator.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Decay of the weights, a fraction of the learning rate."
    )
    max_grad_norm: Positive | None = Field(
        1.0, description="Clip the norm of the whole gradient to this; null: do not."
    )


class SlowOptimizer(Optimizer):
    """AdamW, from smaller steps."""

    lr: Positive = Field(1e-5, description="Learning rate.")


class ValueOptimizer(BaseModel):
    """Settings that the value function does not share with the policy's optimiser."""

    model_config = STRICT
    lr: Positive = Field(1e-4, description="Learning rate of the value function's own weights.")
