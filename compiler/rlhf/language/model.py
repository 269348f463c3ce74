"""The sections `start` and `model`: the language model, and the runs that it comes from."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, OptionName, Positive
from ppoc.compiler.rlhf.language.values import WEIGHTS_ONLY, Dropout, Reference, Size, Tokens


class Start(BaseModel):
    """Where stages that are left out come from."""

    model_config = STRICT
    policy: Reference | None = Field(
        None,
        description="Run folder whose newest policy to start from where `stages` lacks sft; base: "
        "the model itself.",
    )
    reward: Reference | None = Field(
        None, description="Run folder whose reward model to take where `stages` lacks reward."
    )


class ModelConfig(BaseModel):
    """A model with random weights, as large as this says."""

    model_config = STRICT
    architecture: Literal["gpt2", "llama", "gpt_neox"] = Field(
        "gpt2", description="As transformers calls it."
    )
    layers: Annotated[int, Field(ge=1, le=1000)] = Field(2, description="Transformer blocks L.")
    heads: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Attention heads of a block."
    )
    hidden_size: Size = Field(128, description="Width D; the multi-layer perceptrons have 4 D.")
    context: Tokens = Field(128, description="Tokens of prompt and response together, at most.")
    dropout: Dropout = Field(0.0, description="In sft and reward; ppo has none.")


class Lora(BaseModel):
    """Low-rank changes of weights that stay as they are (Hu et al. 2022)."""

    model_config = STRICT
    rank: Size = Field(8, description="Rank r of a change.")
    alpha: Positive = Field(16.0, description="Changes are scaled by alpha / r.")
    dropout: Dropout = Field(0.0, description="Before the change, in sft and reward.")
    targets: Annotated[list[OptionName], Field(min_length=1, max_length=32)] | None = Field(
        None, description="Names of linear layers; null: those of attention and perceptrons."
    )


class Model(BaseModel):
    """The language model: a Hugging Face one, or one with random weights."""

    model_config = STRICT
    id: Reference | None = Field(
        None,
        description="A model of the hub, such as gpt2, or a folder, relative to this file; "
        f"{WEIGHTS_ONLY}.",
    )
    revision: Reference | None = Field(
        None, description="Branch, tag or commit of a model of the hub; null: its newest."
    )
    config: ModelConfig | None = Field(None, description="A new model, instead of `id`.")
    tokenizer: (
        Annotated[
            dict[Literal["bpe"], Annotated[int, Field(ge=258, le=1_000_000)]],
            Field(min_length=1, max_length=1),
        ]
        | Reference
        | None
    ) = Field(
        None,
        description="byte: one token a byte; `{bpe: 512}`: so many byte pairs, learnt from the "
        "demonstrations; else an id or a folder as for `id`. null: the model's own; of `config`, "
        "byte.",
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Of products of matrices; weights and their moments stay float32.",
    )
    lora: Lora | None = Field(None, description="null: all weights learn.")
