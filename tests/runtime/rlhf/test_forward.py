"""Hidden states computed in parts are those of the whole batch, and less is computed for them."""

import copy

import pytest
import torch

pytest.importorskip("transformers")

from ppoc.runtime.rlhf.forward import fuse_activations, hidden_states
from ppoc.runtime.rlhf.models import new_model

SIZES = {"layers": 2, "heads": 2, "hidden_size": 16, "context": 64, "vocabulary": 50}


def ragged(rows, generator):
    """Tokens padded on the right with anything, and the mask of the last ones of each row."""
    lengths = torch.randint(3, 61, (rows,), generator=generator)
    marked = torch.minimum(torch.randint(1, 12, (rows,), generator=generator), lengths - 1)
    position = torch.arange(int(lengths.max()))
    mask = (position >= (lengths - marked).unsqueeze(1)) & (position < lengths.unsqueeze(1))
    return torch.randint(0, 50, mask.shape, generator=generator), mask


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gpt_neox"])
@pytest.mark.parametrize("rows", [1, 5, 16, 37])
def test_parts_are_the_whole(architecture, rows):
    model = new_model(architecture, **SIZES, dropout=0.0, seed=1)
    tokens, mask = ragged(rows, torch.Generator().manual_seed(rows))
    weights = torch.randn(int(mask.sum()), 16, generator=torch.Generator().manual_seed(0))
    whole = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state[mask]
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


def test_padding_is_not_computed():
    model = new_model("gpt2", **SIZES, dropout=0.0, seed=1)
    tokens, mask = ragged(32, torch.Generator().manual_seed(3))
    computed = []
    model.base_model.register_forward_pre_hook(
        lambda module, arguments, named: computed.append(named["input_ids"].numel()),
        with_kwargs=True,
    )
    hidden_states(model.base_model, tokens, mask)
    lengths = mask.shape[1] - mask.flip(1).int().argmax(1)
    assert sum(computed) < 0.75 * tokens.numel()
    assert sum(computed) >= int(lengths.sum())
    computed.clear()
    hidden_states(model.base_model, tokens, torch.ones_like(mask))  # nothing to be saved
    assert computed == [tokens.numel()]


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
