"""Means over held-out examples, scores and values in their places, against slow sums."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ppoc.runtime.rlhf import learning
from ppoc.runtime.rlhf.tokens import Rankings, rows


class Reader(nn.Module):
    """A score for a text: the sum of its tokens over its length, twice that in training mode."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, tokens, lengths):
        there = torch.arange(tokens.shape[1]) < lengths.unsqueeze(1)
        score = (tokens * there).sum(1) / lengths * self.weight
        return 2 * score if self.training else score

    def get_input_embeddings(self):
        return self


PAIRS = [([1], [5, 0]), ([2, 2], [3, 3, 3, 0]), ([7], [0]), ([1, 2, 3], [8, 8, 0])]


def test_a_mean_loss_is_of_all_tokens():
    """Whatever batches they are in."""
    held_out = rows(PAIRS)

    def loss(model, batch):
        assert not model.training
        return batch.tokens[batch.mask].float().mean()

    model = Reader().train()
    for size in (1, 2, 3, 9):
        found = learning.mean_loss(loss, model, held_out, size, fill=99)
        expected = (5 + 9 + 0 + 16) / (2 + 4 + 1 + 3)
        assert found["loss"] == pytest.approx(expected)
        assert found["perplexity"] == pytest.approx(math.exp(expected))
    assert model.training


def test_a_mean_of_one_token_and_of_none():
    def loss(model, batch):
        return torch.tensor(3.0)

    for held_out, expected in ((rows([([1], [0])]), 3.0), (rows([]), 0.0)):
        assert learning.mean_loss(loss, Reader(), held_out, 4, fill=0)["loss"] == expected


def test_a_mean_accuracy_is_of_all_rankings():
    texts = [([1], [9, 0]), ([1], [3, 0]), ([1], [2, 0]), ([1], [4, 0]), ([1], [8, 8, 8, 0])]
    lengths = np.array([3, 5, 3])
    held_out = Rankings(
        rows([*texts, *texts[:2]]), np.array([0, 3, 5]), np.array([3, 2, 2]), lengths
    )
    # All three pairs of the first are right, the pair of the second is not, that of the third is.
    model = Reader().train()
    for size in (1, 2, 3):
        found = learning.mean_accuracy(model, held_out, size, fill=0)
        assert found == {"accuracy": pytest.approx(2 / 3), "rankings": 3}
    assert model.training


def test_scores_are_in_the_order_of_the_responses_and_all_have_an_end():
    prompts, responses = zip(*PAIRS, strict=True)
    cut = [response[:-1] or [0] for response in responses]  # as long as allowed, without an end
    expected = [6 / 3, 13 / 6, 7 / 2, 22 / 6]
    tokenizer, model = SimpleNamespace(end=0, pad=99), Reader().eval()
    for given in (responses, cut):
        for size in (1, 3, 9):
            found = learning.raw_scores(model, prompts, given, tokenizer, size)
            torch.testing.assert_close(found, torch.tensor(expected))


def test_values_of_tokens_are_put_in_their_places():
    tokens = torch.arange(20).reshape(4, 5)
    mask = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 1, 0]]) > 0
    widths = []

    def function(some, marks):
        widths.append(some.shape)
        return some[marks].float(), -some[marks].float()

    for size in (1, 2, 4):
        values, others = learning.by_rows(function, tokens, mask, size)
        assert torch.equal(values, torch.where(mask, tokens, 0).float())
        assert torch.equal(others, -values)
    assert widths == [(1, 3), (1, 3), (1, 5), (1, 4), (2, 3), (2, 5), (4, 5)]


def test_updates_that_are_gone_on_with_have_the_rows_of_the_whole():
    """Each epoch has every row once, in another order; from within an epoch too."""
    lengths = np.arange(1, 24)

    def updates(first):
        run = SimpleNamespace(name="sft", iterations=lambda count, each: range(first, count))
        return list(learning.batches(run, lengths, epochs=3, size=4, seed=5))

    whole = updates(0)
    assert [number for number, _ in whole] == list(range(18))
    for first in (3, 6, 17):
        for (number, part), (same, other) in zip(updates(first), whole[first:], strict=True):
            assert number == same
            assert part.tolist() == other.tolist()
    epochs = [np.concatenate([part for _, part in whole[i : i + 6]]) for i in (0, 6, 12)]
    assert all(sorted(epoch) == list(range(23)) for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) == 3
