"""Texts as rows of tokens: what is cut, padded, ranked, drawn and put together, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ppoc.runtime.rlhf import tokens
from ppoc.runtime.rlhf.data import DataError, Demonstration, Place, Prompt, Ranking

HERE = Place("data.jsonl", 1)
# A token a letter; 0 ends a text.
LETTERS = SimpleNamespace(
    prompt=lambda text: [ord(c) - 96 for c in text],
    response=lambda text: [*(ord(c) - 96 for c in text), 0],
)


def limits(overlong):
    return tokens.Limits(prompt=3, response=4, overlong=overlong)


def test_texts_as_long_as_allowed_are_kept_whole():
    for overlong in ("error", "drop", "truncate"):
        examples = [Demonstration("abc", "def", HERE)]
        found = tokens.encode_demonstrations(examples, LETTERS, limits(overlong))
        assert found.tokens == [[1, 2, 3, 4, 5, 6, 0]]
        assert found.prompt_lengths.tolist() == [3]
        assert found.lengths.tolist() == [7]
        assert tokens.encode_prompts([Prompt("abc", HERE)], LETTERS, limits(overlong)) == [
            [1, 2, 3]
        ]


@pytest.mark.parametrize(
    ("prompt", "response", "cut"),
    [("abcd", "e", [2, 3, 4, 5, 0]), ("a", "bcde", [1, 2, 3, 4, 5])],
)
def test_a_longer_one_is_refused_dropped_or_cut(prompt, response, cut):
    """A prompt loses its beginning, a response its end."""
    examples = [Demonstration("a", "b", HERE), Demonstration(prompt, response, HERE)]

    def encode(overlong):
        return tokens.encode_demonstrations(examples, LETTERS, limits(overlong)).tokens

    with pytest.raises(DataError, match=r"tokens, and data\.max_"):
        encode("error")
    assert encode("drop") == [[1, 2, 0]]
    assert encode("truncate") == [[1, 2, 0], cut]


def some_rankings():
    """Three rankings, of 2, 3 and 2 answers; before the last, one of which an answer is dropped."""
    texts = [("a", ("b", "cc")), ("aa", ("b", "c", "dd")), ("a", ("bbbbb", "c")), ("a", ("d", "e"))]
    examples = [Ranking(prompt, answers, HERE) for prompt, answers in texts]
    return tokens.encode_rankings(examples, LETTERS, limits("drop"))


def test_rankings_are_rows_that_follow_each_other():
    found = some_rankings()
    assert len(found) == 3
    assert found.first.tolist() == [0, 2, 5]
    assert found.ranks.tolist() == [2, 3, 2]
    assert found.lengths.tolist() == [4, 5, 3]
    assert found.rows.tokens[2:5] == [[1, 1, 2, 0], [1, 1, 3, 0], [1, 1, 4, 4, 0]]
    assert len(tokens.encode_rankings([], LETTERS, limits("drop"))) == 0


def test_padded_rankings_and_what_is_counted_as_right():
    padded, ranks = tokens.pad_rankings(some_rankings(), np.array([2, 1]), 9, torch.device("cpu"))
    assert padded.tokens.tolist() == [
        [1, 4, 0, 9, 9], [1, 5, 0, 9, 9], [1, 1, 2, 0, 9], [1, 1, 3, 0, 9], [1, 1, 4, 4, 0],
    ]  # fmt: skip
    assert padded.mask.int().tolist() == [
        [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 1],
    ]  # fmt: skip
    assert padded.lengths.tolist() == [3, 3, 4, 4, 5]
    assert ranks.tolist() == [2, 3]
    ranked = tokens.by_ranking(torch.tensor([1.0, 2.0, 3.0, 1.0, 1.0]), ranks)
    assert ranked.tolist() == [[1, 2, 0], [3, 1, 1]]
    # The first ranking's pair is wrong; two of the second's three are right, as a draw is not.
    assert tokens.pair_accuracy(ranked, ranks).item() == pytest.approx((0 + 2 / 3) / 2)


def test_prompts_are_gone_through_again_and_again_in_other_orders():
    prompts = [[n] for n in range(7)]
    drawn = [
        prompt for i in range(7) for prompt in tokens.draw(prompts, count=4, iteration=i, seed=1)
    ]
    passes = [drawn[start : start + 7] for start in range(0, 28, 7)]
    assert all(sorted(each) == prompts for each in passes)
    assert len({str(each) for each in passes}) == 4
    assert drawn[:4] != tokens.draw(prompts, count=4, iteration=0, seed=2)


def test_batches_are_of_like_lengths_and_have_each_row_once():
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    found = tokens.shuffled(lengths, 8, np.random.default_rng(1))
    assert sorted(np.concatenate(found)) == list(range(1000))
    assert [len(each) for each in found].count(8) == 125
    # Within 32 batches of 8, sorted: neighbours are 100 / 32 apart, where at random it were 78.
    assert np.mean([np.ptp(lengths[each]) for each in found]) < 6
    assert found[0].tolist() != sorted(found[0])
    means = [lengths[each].mean() for each in found]
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.3  # batches are in no order
    again = tokens.shuffled(lengths, 8, np.random.default_rng(2))
    assert {frozenset(each) for each in again} != {frozenset(each) for each in found}


def test_in_order_is_by_length():
    lengths = np.array([3, 1, 2, 9, 4])
    assert [each.tolist() for each in tokens.in_order(lengths, 2)] == [[1, 2], [0, 4], [3]]
