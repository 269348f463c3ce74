"""Kinds of values that several sections share."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

Stage = Literal["sft", "reward", "ppo"]
STAGES: tuple[Stage, ...] = ("sft", "reward", "ppo")
# A path or the id of a model; what it names is looked at by the checks.
Reference = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
Size = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
WEIGHTS_ONLY = "safetensors only, and no code of theirs is run"
