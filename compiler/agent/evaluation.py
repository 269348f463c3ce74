"""The section `evaluation` of an agent's spec."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Count

# Half an hour of an Atari game at four frames a step (Hessel et al. 2018), and 27 times what most
# environments of gymnasium allow.
MAX_STEPS = 27_000


class Evaluation(BaseModel):
    """How the agent is judged."""

    model_config = STRICT
    episodes: Annotated[int, Field(ge=0, le=100_000)] = Field(
        10, description="Episodes of an evaluation; 0: evaluate neither on the way nor at the end."
    )
    every: Count | None = Field(
        None, description="Environment steps between evaluations; null: at the end only."
    )
    deterministic: bool = Field(
        True, description="Take the mode of the policy rather than a sample."
    )
    max_steps: Count | None = Field(
        None,
        description="Steps that an episode may take: one that has not ended by then is cut, and "
        "counts with its return so far. null: 27,000 (half an hour of an Atari game), or the "
        "environment's own time limit where that is longer.",
    )
    num_envs: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None,
        description="Environments that the episodes are shared among, never more than episodes; "
        "null: as many as env.num_envs.",
    )
    share_envs: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether an evaluation on the way plays in the environments of training, where "
        "new episodes then begin, rather than in ones of its own beside them. auto: where "
        "env.num_envs is 1, since some simulators run only once.",
    )
