"""The section `ppo`: the third step, against the reward model."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ppoc.compiler.formula import losses
from ppoc.compiler.formula.objectives import ObjectivesMixin
from ppoc.compiler.front.values import STRICT, Count, Fraction, Positive
from ppoc.compiler.rlhf.language.optimizer import SlowOptimizer, ValueOptimizer
from ppoc.compiler.rlhf.language.values import Epochs, Tokens


class Generation(BaseModel):
    """How responses are drawn in training."""

    model_config = STRICT
    max_new_tokens: Tokens = Field(
        32, description="The longest response, its end-of-text token included."
    )
    temperature: Positive = Field(
        1.0, description="Logits are divided by this, here and in the policy's probabilities."
    )
    top_k: Count | None = Field(
        None, description="Draw from the likeliest tokens only, so many; null: all."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Draw from the likeliest tokens that have this probability together."
    )


class Kl(BaseModel):
    """The penalty β log(π/π_ref) of each token, taken off its reward."""

    model_config = STRICT
    beta: Annotated[float, Field(ge=0)] = Field(
        0.05, description="Weight β of the penalty; where `target` is set, its first value."
    )
    target: Positive | None = Field(
        None,
        description="KL divergence, in nats a response, that β follows (Ziegler et al. 2019, "
        "section 2.2); null: β stays.",
    )
    horizon: Count = Field(10_000, description="Responses over which β adapts to the target.")
    estimator: Literal["k1", "k2", "k3"] = Field(
        "k1",
        description="Of a token's KL divergence (Schulman 2020). k1: log r, with r = π/π_ref; k2: "
        "(log r)²/2; k3: 1/r − 1 + log r.",
    )


class Advantage(BaseModel):
    """Generalised advantage estimation over the tokens of a response."""

    model_config = ConfigDict(**STRICT, populate_by_name=True)
    gamma: Fraction = Field(1.0, description="Discount factor γ of a token.")
    lambda_: Fraction = Field(
        0.95, alias="lambda", description="λ of GAE: 0 is the TD error, 1 return minus value."
    )
    whiten: bool = Field(
        True, description="Scale advantages to mean 0 and deviation 1 over all tokens of a rollout."
    )


class PolicyLoss(losses.PolicyLoss):
    """The surrogate objective of the policy, of each token."""


class ValueLoss(losses.ValueLoss):
    """The error of the value function, of each token."""

    coefficient: Annotated[float, Field(ge=0)] = Field(
        0.1, description="Weight of the mean error in the loss."
    )
    clip: Positive | None = Field(
        0.2, description="Keep new values within ± this of old ones; null: do not."
    )


class EntropyBonus(losses.EntropyBonus):
    """The maximum-entropy term, of each token."""


class Losses(BaseModel):
    """The terms of PPO's loss."""

    model_config = STRICT
    policy: PolicyLoss = Field(default_factory=PolicyLoss)
    value: ValueLoss = Field(default_factory=ValueLoss)
    entropy: EntropyBonus = Field(default_factory=EntropyBonus)


class Rewards(BaseModel):
    """Changes to the reward model's scores before they are rewards."""

    model_config = STRICT
    normalize: bool = Field(
        True,
        description="Shift and scale scores so that the first policy's responses have mean 0 and "
        "deviation 1 (Ziegler et al. 2019, section 2.1).",
    )
    clip: Positive | None = Field(None, description="Clip scores to ± this; null: do not.")
    missing_end: float | None = Field(
        -1.0,
        description="The score, normalised as it may be, of a response that does not end within "
        "its tokens (Huang et al. 2024); null: whatever the reward model gives it.",
    )


class Ppo(ObjectivesMixin, BaseModel):
    """Step 3: PPO against the reward model, kept near the policy it starts from."""

    model_config = STRICT
    episodes: Count = Field(8192, description="Responses in all; the last iteration is finished.")
    rollout_size: Count = Field(128, description="Responses an iteration.")
    epochs: Epochs = Field(4, description="Passes over each rollout.")
    minibatch_size: Count = Field(32, description="Responses a gradient step.")
    generation: Generation = Field(default_factory=Generation)
    kl: Kl = Field(default_factory=Kl)
    rewards: Rewards = Field(default_factory=Rewards)
    advantage: Advantage = Field(default_factory=Advantage)
    losses: Losses = Field(default_factory=Losses)
    value: Literal["shared", "separate"] = Field(
        "shared",
        description="shared: the value function is a head on the policy; separate: a model of "
        "its own, which starts from the reward model (Ouyang et al. 2022).",
    )
    optimizer: SlowOptimizer = Field(default_factory=SlowOptimizer)
    value_optimizer: ValueOptimizer | None = Field(
        default_factory=ValueOptimizer,
        description="null: the value function learns at the policy's rate.",
    )
    target_kl: Positive | None = Field(
        None,
        description="Stop an iteration's updates at 1.5 times this KL a token; null: never.",
    )

    @property
    def learns_action_values(self) -> bool:
        """Whether values are those of tokens too: they are of texts."""
        return False
