"""The sections `sft` and `reward`: the first two steps."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Count
from ppoc.compiler.rlhf.language.optimizer import Optimizer, SlowOptimizer
from ppoc.compiler.rlhf.language.values import Epochs


class Sft(BaseModel):
    """Step 1: supervised fine-tuning on demonstrations."""

    model_config = STRICT
    epochs: Epochs = Field(3, description="Passes over the demonstrations.")
    batch_size: Count = Field(32, description="Demonstrations a gradient step.")
    loss_on: Literal["response", "all"] = Field(
        "response", description="The tokens to learn; all: those of the prompt too."
    )
    optimizer: Optimizer = Field(default_factory=Optimizer)


class Reward(BaseModel):
    """Step 2: a reward model of what people prefer."""

    model_config = STRICT
    start: Literal["sft", "base"] = Field(
        "sft", description="The weights to start from: those of step 1, or the model's."
    )
    objective: Literal["pairs", "plackett-luce"] = Field(
        "pairs",
        description="pairs: Bradley and Terry 1952, of all pairs of a ranking (Ouyang et al. "
        "2022, eq. 1); plackett-luce: of whole rankings. Of a pair they are the same.",
    )
    margin: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="By how much the better one's score should be higher (Touvron et al. 2023).",
    )
    center: Annotated[float, Field(ge=0)] = Field(
        0.01, description="Weight of the mean squared score, which keeps scores near 0."
    )
    epochs: Epochs = Field(1, description="Passes over the preferences.")
    batch_size: Count = Field(32, description="Rankings a gradient step.")
    optimizer: SlowOptimizer = Field(default_factory=SlowOptimizer)
