"""How much memory a stage takes, about: weights, gradients, Adam's moments, activations, caches.

Activations after Korthikanti et al. 2022, Reducing activation recomputation in large transformer
models, section 4.1, without recomputation.
"""

import os
from typing import NamedTuple

from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.compiler.rlhf.sizes import Sizes, parameters

GIB = 2**30
WEIGHT = 4  # bytes of a weight, and of its gradient and moments
BYTES = {"float32": 4, "bfloat16": 2}  # of what products of matrices give

# Paths of the values that memory depends on, besides the sizes of the model.
READS = (
    "stages",
    "model.dtype",
    "model.lora.rank",
    "data.max_prompt_tokens",
    "data.max_response_tokens",
    "sft.batch_size",
    "reward.batch_size",
    "ppo.minibatch_size",
    "ppo.rollout_size",
    "ppo.generation.max_new_tokens",
    "ppo.value",
)


class Memory(NamedTuple):
    """Bytes of the stage that takes most, by what takes them."""

    stage: str
    weights: int  # of all models that are held
    gradients: int
    moments: int  # of Adam
    activations: int  # of a gradient step
    cache: int  # keys and values of a rollout

    @property
    def total(self) -> int:
        return sum(self[1:])


def adapters(sizes: Sizes, rank: int) -> int:
    """Numbers in low-rank changes of all linear layers, about."""
    d, inner = sizes.hidden_size, sizes.inner_size
    return sizes.layers * rank * (4 * 2 * d + 2 * (d + inner))


def memory(resolved: RlhfResolved, sizes: Sizes) -> Memory:
    """The memory of the stage that takes most."""
    return max((_stage(resolved, sizes, stage) for stage in resolved.spec.stages), key=_total)


def _total(memory: Memory) -> int:
    return memory.total


def _stage(resolved: RlhfResolved, sizes: Sizes, stage: str) -> Memory:
    spec = resolved.spec
    width, lora = BYTES[spec.model.dtype], spec.model.lora
    model = parameters(sizes)
    learning = model if lora is None else adapters(sizes, lora.rank)
    prompt, response = spec.data.max_prompt_tokens, spec.data.max_response_tokens
    models, cache, rows = 1, 0, spec.sft.batch_size
    if stage == "reward":
        rows = 2 * spec.reward.batch_size
    elif stage == "ppo":
        ppo = spec.ppo
        rows, response = ppo.minibatch_size, ppo.generation.max_new_tokens
        separate = ppo.value == "separate"
        models = (2 if lora is None else 1) + 1 + separate  # policy, reference, reward, value
        learning += learning if separate else 0
        keys = 2 * sizes.key_value_heads * (sizes.hidden_size // sizes.heads)
        cache = ppo.rollout_size * (prompt + response) * sizes.layers * keys * width
    return Memory(
        stage,
        weights=models * model * WEIGHT,
        gradients=learning * WEIGHT,
        moments=2 * learning * WEIGHT,
        activations=_activations(sizes, rows, prompt + response, response, width),
        cache=cache,
    )


def _activations(sizes: Sizes, rows: int, length: int, response: int, width: int) -> int:
    """Bytes of a forward pass that keeps what its backward pass needs, and of the logits."""
    d, heads = sizes.hidden_size, sizes.heads
    layer = rows * length * (17 * d + 5 * heads * length // 2) * width
    logits = 3 * rows * response * sizes.vocabulary * 4
    return sizes.layers * layer + logits


def machine() -> int | None:
    """Bytes of this machine's memory; None where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None
