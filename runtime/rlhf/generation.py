"""Responses to prompts, with a cache of keys and values."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MOST_ROWS = 256  # generated together
DROP_SHARE = 0.25  # of rows that have ended, at which the cache is cut to the others


@torch.no_grad()
def generate(
    lm: Any,
    prompts: Sequence[Sequence[int]],
    *,
    end: int,
    max_new_tokens: int,
    noise: NDArray[np.float32] | None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> list[list[int]]:
    """A response to each prompt, up to its end-of-text token or `max_new_tokens`.

    Args:
        lm: a causal language model, left in evaluation mode or training mode as it was.
        prompts: tokens, one at least each.
        noise: [N, max_new_tokens], uniform in [0, 1): where each token falls in the distribution;
            None takes the likeliest token. A response depends on its own row of noise alone, not
            on what it is generated together with, but for rounding.
        top_k: sample among this many likeliest tokens.
        top_p: sample among the likeliest tokens that have this probability together
            (Holtzman et al. 2020).
    """
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    responses: list[list[int]] = [[] for _ in prompts]
    mode = lm.training
    lm.eval()
    for start in range(0, len(order), MOST_ROWS):
        group = order[start : start + MOST_ROWS]
        part = None if noise is None else noise[group]
        found = _together(
            lm, [prompts[i] for i in group], end, max_new_tokens, part, temperature, top_k, top_p
        )
        for index, response in zip(group, found, strict=True):
            responses[index] = response
    lm.train(mode)
    return responses


def _together(
    lm: Any,
    prompts: Sequence[Sequence[int]],
    end: int,
    most: int,
    noise: NDArray[np.float32] | None,
    temperature: float,
    top_k: int | None,
    top_p: float,
) -> list[list[int]]:
    from transformers.cache_utils import DynamicCache

    device = lm.get_input_embeddings().weight.device
    cache_name = "cache" if "cache" in _parameters(lm) else "past_key_values"
    cache = DynamicCache(config=lm.config)
    tokens, mask = _left_padded(prompts, device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    ragged = not bool(mask.all())
    uniform = None if noise is None else torch.from_numpy(noise).to(device)
    written = torch.full((len(prompts), most), end, device=device)
    alive = torch.arange(len(prompts), device=device)  # rows of the batch → rows of `written`
    done = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    for step in range(most):
        padding = {"attention_mask": mask, "position_ids": positions} if ragged else {}
        output = lm(
            input_ids=tokens, use_cache=True, logits_to_keep=1, **{cache_name: cache}, **padding
        )
        logits = output.logits[:, -1].float()
        if uniform is None:
            chosen = logits.argmax(-1)
        else:
            chosen = sample(logits, uniform[alive, step], temperature, top_k, top_p)
        written[alive[~done], step] = chosen[~done]
        done = done | (chosen == end)
        ended = int(done.sum())
        if ended == len(done):
            break
        if ended >= DROP_SHARE * len(done):
            kept = (~done).nonzero().squeeze(-1)
            cache.batch_select_indices(kept)
            alive, chosen, mask, done = alive[kept], chosen[kept], mask[kept], done[kept]
            positions = positions[kept]
        tokens = chosen.unsqueeze(-1)
        if ragged:
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], -1)
            positions = positions[:, -1:] + 1
    return [_cut(row, end) for row in written.tolist()]


def _parameters(lm: nn.Module) -> set[str]:
    return set(inspect.signature(lm.forward).parameters)


def _left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts that all end in the last column, and where they are; both [N, L], int64."""
    longest = max(map(len, prompts))
    tokens = np.zeros((len(prompts), longest), np.int64)
    mask = np.zeros_like(tokens)
    for i, prompt in enumerate(prompts):
        tokens[i, longest - len(prompt) :] = prompt
        mask[i, longest - len(prompt) :] = 1
    return torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)


def _cut(row: list[int], end: int) -> list[int]:
    """A response with its end-of-text token, if it has come to it."""
    return row[: row.index(end) + 1] if end in row else row


def sample(
    logits: Tensor, uniform: Tensor, temperature: float, top_k: int | None, top_p: float
) -> Tensor:
    """Tokens [N] of logits [N, V], where `uniform`, [N], falls in their distribution function."""
    logits = logits / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    probabilities = logits.softmax(-1)
    if top_p < 1:
        ranked, order = probabilities.sort(descending=True, stable=True)
        before = ranked.cumsum(-1) - ranked  # of the likelier tokens
        kept = torch.zeros_like(probabilities).scatter(-1, order, ranked * (before < top_p))
        probabilities = kept
    cumulative = probabilities.cumsum(-1)
    reached = cumulative > uniform.unsqueeze(-1) * cumulative[:, -1:]
    # The first token that reaches it; a token without probability never does first.
    return reached.int().argmax(-1)
