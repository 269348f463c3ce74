"""The sections `training` and `evaluation`: seed, device and checkpoints, and the comparison."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Count


class Evaluation(BaseModel):
    """How the policy is compared with the one it started from, on held-out prompts."""

    model_config = STRICT
    prompts: Count = Field(64, description="Held-out prompts, or as many as there are.")
    samples: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Responses to each prompt."
    )
    temperature: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Of those responses, 0: the likeliest tokens; null: as in training."
    )
    every: Count | None = Field(
        None, description="Iterations of ppo between evaluations; null: at the end only."
    )


class Training(BaseModel):
    """Seed, device, compiling and checkpoints of training."""

    model_config = STRICT
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1, description="Of weights, of the order of data, and of sampled tokens."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: CUDA where there is one."
    )
    compile: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether a transformer block is compiled for gradient steps, which takes half "
        "a minute of each stage the first time. auto: where there is a C++ compiler and that is "
        "earned back, which `ppoc compile --explain-plan` explains. always: a run without one "
        "ends at its start.",
    )
    checkpoint_every: Count | None = Field(
        None,
        description="Updates of sft and reward, and iterations of ppo, between checkpoints; null: "
        "ten in a stage. Changes nothing that is learnt.",
    )
