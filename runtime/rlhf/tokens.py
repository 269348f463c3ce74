"""Texts as rows of tokens: [prompt, response, end], padded on the right."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ppoc.runtime.rlhf.data import Demonstration, Place, Prompt, Ranking
from ppoc.runtime.rlhf.tokenizers import Tokenizer


class Limits(NamedTuple):
    """How long texts may be, in tokens, and what is done with longer ones."""

    prompt: int
    response: int  # its end-of-text token included
    overlong: str  # error, drop or truncate


class Rows(NamedTuple):
    """Token rows of different lengths: prompts with responses."""

    tokens: list[list[int]]
    prompt_lengths: NDArray[np.int64]  # [N]
    lengths: NDArray[np.int64]  # [N], prompt and response

    def __len__(self) -> int:
        return len(self.tokens)


class Rankings(NamedTuple):
    """Ranked answers to prompts: the K answers of a ranking are rows that follow each other."""

    rows: Rows
    first: NDArray[np.int64]  # [N], the row of each ranking's best answer
    ranks: NDArray[np.int64]  # [N], K
    lengths: NDArray[np.int64]  # [N], of the longest answer with its prompt

    def __len__(self) -> int:
        return len(self.first)


class Padded(NamedTuple):
    """Some rows as tensors, cut to the longest of them."""

    tokens: Tensor  # [B, L], int64, padded on the right
    mask: Tensor  # [B, L], bool: tokens of the response, its end-of-text token among them
    lengths: Tensor  # [B], int64

    def to(self, device: torch.device) -> "Padded":
        return Padded(*(tensor.to(device, non_blocking=True) for tensor in self))


def encode_demonstrations(
    examples: Sequence[Demonstration], tokenizer: Tokenizer, limits: Limits
) -> Rows:
    """Demonstrations as rows.

    Raises:
        DataError: one is longer than the limits, and that is an error.
    """
    pairs = (
        _fitted(tokenizer.prompt(e.prompt), tokenizer.response(e.response), limits, e.place)
        for e in examples
    )
    return rows([pair for pair in pairs if pair is not None])


def encode_rankings(examples: Sequence[Ranking], tokenizer: Tokenizer, limits: Limits) -> Rankings:
    """Rankings as rows; an answer that is dropped drops its ranking.

    Raises:
        DataError: as `encode_demonstrations`.
    """
    kept: list[tuple[list[int], list[int]]] = []
    ranks: list[int] = []
    for example in examples:
        prompt = tokenizer.prompt(example.prompt)
        pairs = [
            _fitted(prompt, tokenizer.response(text), limits, example.place)
            for text in example.responses
        ]
        whole = [pair for pair in pairs if pair is not None]
        if len(whole) == len(pairs):
            kept += whole
            ranks.append(len(whole))
    all_rows, count = rows(kept), np.array(ranks, np.int64)
    first = count.cumsum() - count
    longest = np.maximum.reduceat(all_rows.lengths, first) if ranks else count
    return Rankings(all_rows, first, count, longest)


def encode_prompts(
    examples: Sequence[Prompt], tokenizer: Tokenizer, limits: Limits
) -> list[list[int]]:
    """Prompts as tokens.

    Raises:
        DataError: as `encode_demonstrations`.
    """
    pairs = (_fitted(tokenizer.prompt(e.prompt), [], limits, e.place) for e in examples)
    return [pair[0] for pair in pairs if pair is not None]


def _fitted(
    prompt: list[int], response: list[int], limits: Limits, place: Place
) -> tuple[list[int], list[int]] | None:
    """A prompt and a response within the limits; None where it is dropped."""
    for what, tokens, most in (
        ("prompt", prompt, limits.prompt),
        ("response", response, limits.response),
    ):
        if len(tokens) > most and limits.overlong == "error":
            raise place.fault(
                f"the {what} has {len(tokens)} tokens, and data.max_{what}_tokens is {most}; raise "
                "it, shorten the text, or set data.overlong to drop or truncate"
            )
    if limits.overlong == "drop" and (
        len(prompt) > limits.prompt or len(response) > limits.response
    ):
        return None
    # A prompt loses its beginning, a response its end and with it the end of text.
    return prompt[-limits.prompt :], response[: limits.response]


def rows(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Rows:
    """Prompts and responses, joined."""
    return Rows(
        [[*prompt, *response] for prompt, response in pairs],
        np.array([len(prompt) for prompt, _ in pairs], np.int64),
        np.array([len(prompt) + len(response) for prompt, response in pairs], np.int64),
    )


def pad(rows: Rows, indices: Sequence[int] | NDArray[np.int64], fill: int) -> Padded:
    """The rows at `indices` as tensors, on the CPU."""
    lengths = rows.lengths[indices]
    tokens = np.full((len(lengths), lengths.max()), fill, np.int64)
    for row, index in zip(tokens, indices, strict=True):
        row[: rows.lengths[index]] = rows.tokens[index]
    position = np.arange(tokens.shape[1])
    mask = (position >= rows.prompt_lengths[indices, None]) & (position < lengths[:, None])
    return Padded(torch.from_numpy(tokens), torch.from_numpy(mask), torch.from_numpy(lengths))


def pad_rankings(
    rankings: Rankings, indices: NDArray[np.int64], fill: int, device: torch.device
) -> tuple[Padded, Tensor]:
    """The answers of the rankings at `indices`, one after another, and how many each has, [B]."""
    chosen = [
        np.arange(first, first + ranks)
        for first, ranks in zip(rankings.first[indices], rankings.ranks[indices], strict=True)
    ]
    padded = pad(rankings.rows, np.concatenate(chosen), fill).to(device)
    return padded, torch.from_numpy(rankings.ranks[indices]).to(device)


def by_ranking(scores: Tensor, ranks: Tensor) -> Tensor:
    """Scores of answers one after another as [B, K], with zeros where a ranking is shorter."""
    most = int(ranks.max())
    there = torch.arange(most, device=ranks.device) < ranks.unsqueeze(-1)
    ranked: Tensor = scores.new_zeros(there.shape).masked_scatter(there, scores)
    return ranked


def pair_accuracy(scores: Tensor, ranks: Tensor) -> Tensor:
    """The share of pairs of which the better one scores higher, [], the mean over rankings.

    Args:
        scores: [B, K], the best answer first, as `by_ranking` gives them.
        ranks: [B].
    """
    better, worse = torch.triu_indices(scores.shape[1], scores.shape[1], 1, device=scores.device)
    there = worse < ranks.unsqueeze(-1)
    right = (scores[:, better] > scores[:, worse]) & there
    accuracy: Tensor = (right.sum(-1) / there.sum(-1)).mean()
    return accuracy


def draw(prompts: Sequence[list[int]], count: int, iteration: int, seed: int) -> list[list[int]]:
    """The prompts of an iteration: `count` of them, going through all again and again at random."""
    positions = np.arange(iteration * count, (iteration + 1) * count)
    passes, places = np.divmod(positions, len(prompts))
    orders = {
        number: np.random.default_rng((seed, 0xA5, number)).permutation(len(prompts))
        for number in set(passes.tolist())
    }
    return [prompts[orders[n][at]] for n, at in zip(passes.tolist(), places, strict=True)]


def shuffled(
    lengths: NDArray[np.int64], size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """All indices once, in random batches of rows of about the same length.

    Rows are shuffled, sorted by length within stretches of 32 batches, and the batches shuffled:
    little padding, and yet other company for a row each time. One batch may be smaller.
    """
    order = rng.permutation(len(lengths))
    stretch = 32 * size
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(order), stretch):
        part = order[start : start + stretch]
        part = part[np.argsort(lengths[part], kind="stable")]
        found += [part[i : i + size] for i in range(0, len(part), size)]
    return [found[index] for index in rng.permutation(len(found))]


def in_order(lengths: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """All indices in batches by length, for evaluation."""
    order = np.argsort(lengths, kind="stable")
    edges = [*range(0, len(order), size), len(order)]
    for start, end in pairwise(edges):
        yield order[start:end]
