"""Sizes of a causal language model, and how many numbers its weights have."""

from typing import NamedTuple

EXACT = ("gpt2", "llama", "gpt_neox")  # architectures whose weights are counted exactly


class Sizes(NamedTuple):
    """The sizes of a causal language model that memory depends on."""

    architecture: str
    layers: int
    heads: int
    hidden_size: int
    inner_size: int  # of the multi-layer perceptrons
    key_value_heads: int
    context: int
    vocabulary: int
    tied: bool  # whether the embeddings of input and output are the same


def parameters(sizes: Sizes) -> int:
    """Numbers in the weights of a model; exact for gpt2, llama and gpt_neox."""
    d, inner = sizes.hidden_size, sizes.inner_size
    embeddings = sizes.vocabulary * d * (1 if sizes.tied else 2)
    if sizes.architecture == "llama":
        keys = sizes.key_value_heads * (d // sizes.heads)
        return embeddings + sizes.layers * (2 * d * d + 2 * d * keys + 3 * d * inner + 2 * d) + d
    block = 4 * d * d + 4 * d + 2 * d * inner + inner + d + 4 * d
    positions = sizes.context * d if sizes.architecture == "gpt2" else 0
    return embeddings + positions + sizes.layers * block + 2 * d
