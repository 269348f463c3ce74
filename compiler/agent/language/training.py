"""The section `training`: how long, from which seed, and where."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Count


class Training(BaseModel):
    """How long, from which seed, and where."""

    model_config = STRICT
    total_steps: Count = Field(
        1_000_000,
        description="Environment steps; the last iteration is as short as they want it, where it "
        "can be (`ppoc explain W101`).",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1, description="Of parameters, noise and environments."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: CUDA where there is one."
    )
    compile: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether the update is compiled, which takes seconds once: what is compiled is "
        "kept for the next run of the same shapes and settings. auto: where there is a C++ "
        "compiler, and this run alone is long enough to earn that back. always: a run without one "
        "ends at its start.",
    )
    checkpoint_every: Count | None = Field(
        None,
        description="Environment steps between checkpoints; null: ten in a run. Changes nothing "
        "that is learnt.",
    )
    on_divergence: Literal["stop", "rollback", "continue"] = Field(
        "stop",
        description="What to do when a loss or a gradient is not finite, or the KL divergence "
        "exceeds 20 nats. stop: end the run, and keep the update that did it. rollback: go back to "
        "the last checkpoint and on from there with other noise, three times at most. continue: "
        "leave out updates that are not finite.",
    )
