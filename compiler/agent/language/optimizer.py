"""The section `optimizer`: how parameters move."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import SCHEDULE, STRICT, Points, Positive


class Optimizer(BaseModel):
    """How one network's parameters move."""

    model_config = STRICT
    kind: Literal["adam", "adamw", "rmsprop", "sgd"] = Field(
        "adam", description="Adam (Kingma and Ba 2015), its variants, or gradient descent."
    )
    lr: Positive = Field(3e-4, description="Learning rate.")
    schedule: Literal["constant", "linear", "cosine", "adaptive"] | Points = Field(
        "constant", description=f"Of the rate; adaptive: follows kl_target; {SCHEDULE}"
    )
    kl_target: Positive | None = Field(
        None, description="The KL divergence of an update that an adaptive rate keeps near."
    )
    epsilon: Positive = Field(1e-5, description="ε in the denominator of Adam, AdamW and RMSprop.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.0, description="AdamW's decay of the weights, a fraction of the learning rate."
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Momentum of sgd (Polyak 1964)."
    )
    decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.99, description="rmsprop's decay of the mean of squared gradients."
    )


class TrustRegion(BaseModel):
    """A natural-gradient step of the policy with a line search (Schulman et al. 2015)."""

    model_config = STRICT
    kl_limit: Positive = Field(0.01, description="δ, the largest KL divergence of a step.")
    cg_iterations: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="Conjugate-gradient iterations for the direction."
    )
    damping: Annotated[float, Field(ge=0)] = Field(
        0.1, description="Added to the diagonal of the Fisher matrix."
    )
    backtracks: Annotated[int, Field(ge=1, le=100)] = Field(
        10, description="Step lengths tried by the line search."
    )
    backtrack_ratio: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.8, description="Each length tried over the one before."
    )


class CrossEntropy(BaseModel):
    """Search over parameters without a gradient (Szita and Lőrincz 2006)."""

    model_config = STRICT
    elite_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Of the candidates, one an environment, the share that is refitted to."
    )
    std_init: Positive = Field(
        0.5, description="Standard deviation of each parameter among the first candidates."
    )
    noise: Annotated[float, Field(ge=0)] = Field(
        0.2,
        description="Deviation added at each refit, against settling too early; falls linearly "
        "to 0 at the end of training.",
    )


class Optimizers(BaseModel):
    """Optimisers of actor and critic; what the critic's leaves out is as the actor's."""

    model_config = STRICT
    actor: Optimizer = Field(default_factory=Optimizer)
    critic: Optimizer = Field(default_factory=Optimizer)
    trust_region: TrustRegion | None = Field(
        None,
        description="One step an iteration for the policy, within a hard KL limit; epochs and "
        "minibatches are then the critic's. null: both take minibatch gradient steps.",
    )
    cross_entropy: CrossEntropy | None = Field(
        None,
        description="The cross-entropy method: candidates are scored by their mean return of an "
        "episode, and nothing is differentiated. null: the policy learns by gradients.",
    )
    max_grad_norm: Positive | None = Field(
        0.5, description="Clip the norm of the whole gradient to this; null: do not."
    )
