"""Compiled blocks are the blocks as they are written, to rounding, at any number and length."""

import copy

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from ppoc.runtime import rlhf
from ppoc.runtime.errors import RunError
from ppoc.runtime.rlhf import compiled
from ppoc.runtime.rlhf.forward import hidden_states
from small_models import a_model


def model(architecture="gpt2", dropout=0.1):
    return a_model(architecture, layers=3, vocabulary=64, dropout=dropout, seed=1).train()


def gradients(lm, tokens, mask):
    """All hidden states, and the gradients of a function of them; dropout is drawn alike."""
    torch.manual_seed(3)
    lm.zero_grad()
    states = hidden_states(lm.base_model, tokens, mask)
    (states * torch.linspace(-1, 1, states.shape[-1])).square().sum().backward()
    return [states.detach(), *(p.grad for p in lm.parameters() if p.grad is not None)]


def batch(rng, rows, width, alike):
    """Random rows of lengths up to `width`; `alike` makes neighbours begin alike."""
    tokens = torch.from_numpy(rng.integers(0, 64, (rows, width)))
    lengths = torch.from_numpy(rng.integers(width // 2, width + 1, (rows, 1)))
    if alike:
        tokens[1::2, : width - 2] = tokens[: rows - rows % 2 : 2, : width - 2]
        lengths[:] = width
    return tokens, torch.arange(width) < lengths


@pytest.mark.slow  # a compiler takes half a minute for each
@pytest.mark.parametrize(
    ("architecture", "alike", "lora"),
    [
        ("gpt2", False, False),
        ("gpt2", True, False),
        ("llama", False, True),
        ("gpt_neox", False, False),
    ],
)
def test_same_as_eager(architecture, alike, lora):
    lm = model(architecture)
    if lora:
        lm = rlhf.add_lora(lm, rank=2, alpha=4.0, dropout=0.1, targets=None, seed=1)
    eager = copy.deepcopy(lm)
    said = []
    compiled.compile_blocks(lm.base_model, said.append, alike=alike)
    assert len(said) == 1
    counters = torch._dynamo.utils.counters["stats"]
    graphs = counters["unique_graphs"]
    rng = np.random.default_rng(0)
    for rows, width in ((16, 16), (2, 40), (1, 9), (17, 31), (6, 2), (9, 47), (16, 40)):
        texts = batch(rng, rows, width, alike)
        for ours, theirs in zip(gradients(lm, *texts), gradients(eager, *texts), strict=True):
            assert (ours - theirs).norm() <= 1e-5 * theirs.norm() + 1e-7
    assert counters["unique_graphs"] == graphs  # nothing was compiled again


def test_without_gradients_nothing_is_compiled(monkeypatch):
    """Generation and evaluation run the blocks as they are written."""
    lm, texts = model(dropout=0.0), batch(np.random.default_rng(0), 4, 9, alike=False)
    expected = hidden_states(lm.base_model, *texts)
    asked = []

    def recording(forward, **_):
        return lambda *arguments, **named: asked.append(forward) or forward(*arguments, **named)

    monkeypatch.setattr(torch, "compile", recording)
    compiled.compile_blocks(lm.base_model, lambda text: None)
    assert len(asked) == 3
    with torch.no_grad():
        assert torch.equal(hidden_states(lm.base_model, *texts), expected)
        rlhf.generate(lm, [[1, 2], [3]], end=0, max_new_tokens=3, noise=None)
    assert len(asked) == 3
    hidden_states(lm.base_model, *texts)
    assert len(asked) == 6


def test_a_compiler_that_fails_leaves_the_blocks_as_they_were(monkeypatch):
    lm, texts = model(), batch(np.random.default_rng(0), 4, 9, alike=False)
    expected = gradients(copy.deepcopy(lm), *texts)

    def broken(forward, **_):
        def run(*arguments, **named):
            raise RuntimeError("g++: no such file\nand more")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    said = []
    compiled.compile_blocks(lm.base_model, said.append)
    assert said[1:] == [
        "going on with blocks uncompiled, which is slower: RuntimeError: g++: no such file"
    ]
    with pytest.raises(RunError, match=r"always, and blocks are not: RuntimeError: g\+\+"):
        compiled.compile_blocks(copy.deepcopy(lm).base_model, said.append, required=True)
    for ours, theirs in zip(gradients(lm, *texts), expected, strict=True):
        assert torch.equal(ours, theirs)
