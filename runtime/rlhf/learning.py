"""Parts that the loops of the stages share: examples and their batches, and means over them."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppoc.runtime.rlhf.data import (
    DataError,
    distinct,
    read_demonstrations,
    read_preferences,
    read_prompts,
    split,
)
from ppoc.runtime.rlhf.stage import Stage, rng
from ppoc.runtime.rlhf.tokenizers import Tokenizer
from ppoc.runtime.rlhf.tokens import (
    Limits,
    Padded,
    Rankings,
    Rows,
    by_ranking,
    encode_demonstrations,
    encode_prompts,
    encode_rankings,
    in_order,
    pad,
    pad_rankings,
    pair_accuracy,
    rows,
    shuffled,
)


def demonstrations(
    path: Path, tokenizer: Tokenizer, limits: Limits, held_out: float, seed: int
) -> tuple[Rows, Rows]:
    """Demonstrations to learn from, and those held out.

    Raises:
        DataError: the file, a line of it, or a text's length is not as it must be.
    """
    learn, kept = split(read_demonstrations(path), held_out, seed)
    pair = [encode_demonstrations(part, tokenizer, limits) for part in (learn, kept)]
    return _not_empty(path, pair[0]), pair[1]


def preferences(
    path: Path, tokenizer: Tokenizer, limits: Limits, held_out: float, seed: int
) -> tuple[Rankings, Rankings]:
    """Rankings to learn from, and those held out; raises as `demonstrations` does."""
    learn, kept = split(read_preferences(path), held_out, seed)
    pair = [encode_rankings(part, tokenizer, limits) for part in (learn, kept)]
    return _not_empty(path, pair[0]), pair[1]


def prompts(
    path: Path, tokenizer: Tokenizer, limits: Limits, held_out: float, seed: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts to learn from, and those held out; raises as `demonstrations` does."""
    learn, kept = split(distinct(read_prompts(path)), held_out, seed)
    pair = [encode_prompts(part, tokenizer, limits) for part in (learn, kept)]
    return _not_empty(path, pair[0]), pair[1]


def _not_empty(path: Path, examples: Any) -> Any:
    if not len(examples):
        raise DataError(
            f"{path}: nothing is left to learn from; lower data.held_out, or allow longer texts"
        )
    return examples


def batches(
    run: Stage, lengths: NDArray[np.int64], epochs: int, size: int, seed: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The updates of a stage from where it was left: their numbers, and the rows of each."""
    per_epoch = math.ceil(len(lengths) / size)
    parts: list[NDArray[np.int64]] = []
    for update in run.iterations(epochs * per_epoch, 1):
        epoch, index = divmod(update, per_epoch)
        if index == 0 or not parts:
            parts = shuffled(lengths, size, rng(seed, run.name, epoch))
        yield update, parts[index]


@torch.no_grad()
def mean_loss(
    loss: Callable[[Any, Padded], Tensor], lm: Any, held_out: Rows, size: int, fill: int
) -> dict[str, float]:
    """A loss in nats a token over held-out rows, and its exponential."""
    device, mode = lm.get_input_embeddings().weight.device, lm.training
    total, count = 0.0, 0
    lm.eval()
    for indices in in_order(held_out.lengths, size):
        batch = pad(held_out, indices, fill).to(device)
        tokens = int(batch.mask.sum())
        total, count = total + loss(lm, batch).item() * tokens, count + tokens
    lm.train(mode)
    mean = total / max(count, 1)
    return {"loss": mean, "perplexity": math.exp(min(mean, 700.0))}


@torch.no_grad()
def mean_accuracy(model: nn.Module, held_out: Rankings, size: int, fill: int) -> dict[str, float]:
    """The share of pairs whose better answer scores higher, a mean over rankings, and how many."""
    device, mode = next(model.parameters()).device, model.training
    right = 0.0
    model.eval()
    for indices in in_order(held_out.lengths, size):
        batch, ranks = pad_rankings(held_out, indices, fill, device)
        ranked = by_ranking(model(batch.tokens, batch.lengths), ranks)
        right += pair_accuracy(ranked, ranks).item() * len(indices)
    model.train(mode)
    return {"accuracy": right / max(len(held_out), 1), "rankings": len(held_out)}


@torch.no_grad()
def raw_scores(
    model: nn.Module,
    prompts: Sequence[list[int]],
    responses: Sequence[list[int]],
    tokenizer: Tokenizer,
    size: int,
) -> Tensor:
    """The scores that a reward model gives responses, [N], `size` of them at a time.

    It reads all of them with an end of text, as those that it learnt from.
    """
    end = tokenizer.end
    whole = [r if r[-1:] == [end] else [*r, end] for r in responses]
    texts = rows(list(zip(prompts, whole, strict=True)))
    device = next(model.parameters()).device
    scores = torch.empty(len(texts), device=device)
    for indices in in_order(texts.lengths, size):
        batch = pad(texts, indices, tokenizer.pad).to(device)
        at = torch.from_numpy(indices).to(device)
        scores[at] = model(batch.tokens, batch.lengths).float()
    return scores


@torch.no_grad()
def by_rows(
    function: Callable[[Tensor, Tensor], tuple[Tensor, ...]],
    tokens: Tensor,
    mask: Tensor,
    size: int,
) -> list[Tensor]:
    """A function's values of the tokens that a mask marks, in their places, [N, L], 0 elsewhere.

    Args:
        function: of some rows of tokens [B, L] and their mask [B, L] to values [R] of the R
            tokens that are marked, row by row.
        size: how many rows it is given at a time, cut to the longest of them.
    """
    parts = []
    for some, marks in zip(torch.split(tokens, size), torch.split(mask, size), strict=True):
        width = int(marks.any(0).nonzero().max()) + 1
        parts.append(function(some[:, :width], marks[:, :width]))
    zeros = torch.zeros(mask.shape, device=mask.device)
    return [zeros.masked_scatter(mask, torch.cat(column)) for column in zip(*parts, strict=True)]
