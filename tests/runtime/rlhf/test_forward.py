"""Hidden states computed in parts are those of the whole batch, and less is computed for them."""

import copy

import pytest
import torch

pytest.importorskip("transformers")

from ppoc.runtime.rlhf.forward import fuse_activations, hidden_states
from ppoc.runtime.rlhf.models import new_model

SIZES = {"layers": 2, "heads": 2, "hidden_size": 16, "context": 64, "vocabulary": 50}


def ragged(rows, generator, answers=1):
    """Tokens padded on the right with anything, and the mask of the last ones of each row.

    Of `answers` rows each, all but the marked tokens are the same.
    """
    begin = torch.randint(2, 45, (rows,), generator=generator).repeat_interleave(answers)
    marked = torch.randint(1, 12, (len(begin),), generator=generator)
    lengths = begin + marked
    position = torch.arange(int(lengths.max()))
    mask = (position >= begin.unsqueeze(1)) & (position < lengths.unsqueeze(1))
    common = torch.randint(0, 50, (rows, len(position)), generator=generator)
    own = torch.randint(0, 50, mask.shape, generator=generator)
    before = position < begin.unsqueeze(1)
    return torch.where(before, common.repeat_interleave(answers, 0), own), mask


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gpt_neox"])
@pytest.mark.parametrize(("rows", "answers"), [(1, 1), (5, 1), (37, 1), (1, 2), (16, 2), (9, 4)])
def test_what_is_computed_together_is_what_each_row_has(architecture, rows, answers):
    model = new_model(architecture, **SIZES, dropout=0.0, seed=1)
    tokens, mask = ragged(rows, torch.Generator().manual_seed(rows), answers)
    weights = torch.randn(int(mask.sum()), 16, generator=torch.Generator().manual_seed(0))
    alone = []
    for row, marks in zip(tokens, mask, strict=True):
        states = model.base_model(input_ids=row.unsqueeze(0), use_cache=False)[0][0]
        alone.append(states[marks])
    whole = torch.cat(alone)
    (whole * weights).sum().backward()
    expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    found = hidden_states(model.base_model, tokens, mask)
    (found * weights).sum().backward()
    torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)
    assert expected
    for name, parameter in model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-4)


def test_equal_rows_and_marks_in_what_they_share():
    model = new_model("gpt2", **SIZES, dropout=0.0, seed=1)
    tokens = torch.randint(0, 50, (1, 20), generator=torch.Generator().manual_seed(1)).repeat(4, 1)
    tokens[3, 17:] = 7
    mask = torch.zeros(4, 20, dtype=torch.bool)
    mask[0, 3] = mask[0, 19] = mask[1, 5:9] = mask[2, 19] = mask[3, 10:] = True
    expected = model.base_model(input_ids=tokens, use_cache=False)[0][mask]
    found = hidden_states(model.base_model, tokens, mask)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def counting(model):
    """The numbers of tokens that the model's calls are given from here on."""
    computed = []
    model.base_model.register_forward_pre_hook(
        lambda module, arguments, named: computed.append(named["input_ids"].numel()),
        with_kwargs=True,
    )
    return computed


def test_padding_is_not_computed():
    model = new_model("gpt2", **SIZES, dropout=0.0, seed=1)
    tokens, mask = ragged(32, torch.Generator().manual_seed(3))
    computed = counting(model)
    hidden_states(model.base_model, tokens, mask)
    lengths = mask.shape[1] - mask.flip(1).int().argmax(1)
    assert sum(computed) < 0.75 * tokens.numel()
    assert sum(computed) >= int(lengths.sum())
    computed.clear()
    hidden_states(model.base_model, tokens, torch.ones_like(mask))  # nothing to be saved
    assert computed == [tokens.numel()]


def test_the_beginning_of_answers_to_one_prompt_is_computed_once():
    model = new_model("gpt2", **SIZES, dropout=0.0, seed=1)
    tokens, mask = ragged(6, torch.Generator().manual_seed(2), 3)
    computed = counting(model)
    hidden_states(model.base_model, tokens, mask)
    assert sum(computed) < 0.6 * tokens.numel()
    # A model of which it is not known that it takes masks runs each row
    model.base_model.config.model_type = "another"
    computed.clear()
    hidden_states(model.base_model, tokens, mask)
    assert sum(computed) >= int((mask.shape[1] - mask.flip(1).int().argmax(1)).sum())


def test_one_kernel_computes_the_same_activation():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    slow = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=50)).eval()
    fast = copy.deepcopy(slow)
    fuse_activations(fast)
    kinds = [type(module).__name__ for module in fast.modules()]
    assert "GELU" in kinds
    assert "NewGELUActivation" not in kinds
    tokens = torch.randint(0, 50, (3, 20))
    torch.testing.assert_close(fast(tokens).logits, slow(tokens).logits, rtol=1e-5, atol=1e-6)
