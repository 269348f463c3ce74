"""The section `update`: how much is collected, and how often it is learnt from."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.agent.estimators import Buffer
from ppoc.compiler.front.values import STRICT, Count, Positive


class Update(BaseModel):
    """How much is collected, and how often it is learnt from."""

    model_config = STRICT
    rollout_steps: Count = Field(
        2048,
        description="Environment steps an iteration, over all environments together: num_envs "
        "times what Stable-Baselines3 calls n_steps and CleanRL num_steps.",
    )
    epochs: Annotated[int, Field(ge=1, le=10_000)] = Field(
        10, description="Passes over each batch."
    )
    minibatch_size: Count | Literal["all"] = Field(
        64, description="Samples a gradient step; all: the whole batch."
    )
    sampling: Literal["rollout", "episodes"] = Field(
        "rollout",
        description="episodes: every iteration starts new episodes, and learns only from those "
        "that end within it.",
    )
    sequence_length: Count | None = Field(
        None,
        description="With memory: steps through which its gradient flows; null: as many as a "
        "minibatch and a rollout of one environment both divide into.",
    )
    buffer: Buffer | None = Field(
        None, description="null: on-policy, each rollout is learnt from in its own iteration only."
    )
    target_kl: Positive | None = Field(
        None, description="Stop an iteration's updates at 1.5 times this KL; null: never."
    )
