"""The section `compare`: with which setting, and how surely."""

from typing import Annotated

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, EnvId, Positive

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]


class Compare(BaseModel):
    """How the settings are compared."""

    model_config = STRICT
    baseline: str | None = Field(
        None, description="The setting that the others are compared with; null: the first."
    )
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        0.95, description="Of intervals and of the verdict."
    )
    threshold: float | None = Field(
        None, description="Return at which a task counts as solved, for steps to a threshold."
    )
    margin: Positive | None = Field(
        None,
        description="Difference of scores that matters; null: `ppoc compare` says which it takes.",
    )
    scores: dict[EnvId, Bounds] = Field(
        default_factory=dict,
        description="Task: the scores that count as 0 and as 1, such as those of a random and of a "
        "good policy; of others, the worst and the best run.",
    )
