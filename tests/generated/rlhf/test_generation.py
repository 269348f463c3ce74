"""Generated responses: transformers' own where nothing is random, the distribution where it is."""

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from transformers import GenerationConfig
from transformers.generation.logits_process import TopKLogitsWarper, TopPLogitsWarper

from ppoc.runtime import rlhf
from ppoc.runtime.rlhf.generation import sample
from small_models import a_model

END = 29


def prompts(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(29, size=length).tolist() for length in lengths]


def likely_to_end(lm):
    """The end of text is as likely as other tokens: some rows end early, and are dropped."""
    with torch.no_grad():
        for parameter in lm.parameters():
            parameter.mul_(4.0)
    return lm


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gpt_neox"])
@pytest.mark.parametrize("lengths", [[3, 3, 3, 3], [1, 5, 2, 7, 4, 4]])
def test_greedy_is_transformers_generate(architecture, lengths):
    lm = likely_to_end(a_model(architecture, seed=3))
    asked = prompts(lengths)
    ours = rlhf.generate(lm, asked, end=END, max_new_tokens=12, noise=None)
    config = GenerationConfig(
        max_new_tokens=12, do_sample=False, eos_token_id=END, pad_token_id=END
    )
    for prompt, found in zip(asked, ours, strict=True):
        text = torch.tensor([prompt])
        mask = torch.ones_like(text)
        whole = lm.generate(text, attention_mask=mask, generation_config=config)[0].tolist()
        assert found == whole[len(prompt) :]


def test_a_response_does_not_depend_on_its_company():
    lm = likely_to_end(a_model(seed=3))
    asked = prompts([2, 6, 3, 3, 5, 1, 4, 2])
    noise = np.random.default_rng(1).random((8, 20), np.float32)
    options = {"end": END, "max_new_tokens": 20}
    together = rlhf.generate(lm, asked, noise=noise, **options)
    alone = [
        rlhf.generate(lm, [prompt], noise=row[None], **options)[0]
        for prompt, row in zip(asked, noise, strict=True)
    ]
    assert together == alone
    assert len({len(response) for response in together}) > 1


def test_noise_falls_in_the_distribution():
    logits = torch.randn(1, 9).expand(200_000, 9)
    uniform = torch.rand(200_000)
    found = torch.bincount(sample(logits, uniform, 0.7, None, 1.0), minlength=9) / 200_000
    torch.testing.assert_close(found, (logits[0] / 0.7).softmax(-1), atol=5e-3, rtol=0)


@pytest.mark.parametrize(("top_k", "top_p"), [(3, 1.0), (None, 0.6), (4, 0.5)])
def test_only_tokens_that_transformers_keeps(top_k, top_p):
    logits = torch.randn(1, 12)
    kept = logits
    if top_k:
        kept = TopKLogitsWarper(top_k)(None, kept)
    if top_p < 1:
        kept = TopPLogitsWarper(top_p)(None, kept)
    expected = kept.softmax(-1)[0]
    uniform = (torch.arange(20_000) + 0.5) / 20_000
    drawn = sample(logits.expand(20_000, 12), uniform, 1.0, top_k, top_p)
    found = torch.bincount(drawn, minlength=12) / 20_000
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    alone = [sample(logits, u.unsqueeze(0), 1.0, top_k, top_p) for u in uniform[::1000]]
    assert torch.equal(torch.cat(alone), drawn[::1000])
