"""The section `data`: the files that stages learn from."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT
from ppoc.compiler.rlhf.language.values import Reference, Tokens


class Data(BaseModel):
    """JSON Lines files, relative to the file that names them."""

    model_config = STRICT
    demonstrations: Reference | None = Field(
        None, description='For sft, lines such as `{"prompt": "…", "response": "…"}`.'
    )
    preferences: Reference | None = Field(
        None,
        description='For reward, `{"prompt": "…", "chosen": "…", "rejected": "…"}` or '
        '`{"prompt": "…", "ranking": ["best", …, "worst"]}`.',
    )
    prompts: Reference | None = Field(
        None, description='For ppo, `{"prompt": "…"}`; null: the prompts of the demonstrations.'
    )
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of each file that is kept for evaluation, chosen by the seed."
    )
    max_prompt_tokens: Tokens = Field(64, description="The longest prompt.")
    max_response_tokens: Tokens = Field(
        64, description="The longest response in the files, its end-of-text token included."
    )
    overlong: Literal["error", "drop", "truncate"] = Field(
        "error",
        description="What becomes of longer ones; truncate: prompts lose their beginning, "
        "responses their end.",
    )
