"""Losses, rewards and advantages beside slow, obvious computations of the same."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

pytest.importorskip("transformers")

from ppoc.runtime import rlhf
from ppoc.runtime.rlhf.comparison import _kl
from small_models import a_model

ARCHITECTURES = ("gpt2", "llama", "gpt_neox")


def some_rows(count=6, vocabulary=30, seed=0):
    """Prompts of 1 to 5 tokens with responses of 1 to 7."""
    rng = np.random.default_rng(seed)

    def tokens(most):
        return rng.integers(vocabulary, size=rng.integers(1, most + 1)).tolist()

    return [(tokens(5), tokens(7)) for _ in range(count)]


def slow_log_probs(lm, prompt, response):
    """log π of each token of a response, from a pass over that text alone."""
    text = torch.tensor([[*prompt, *response]])
    log_probs = log_softmax(lm(input_ids=text).logits[0].float(), -1)
    return torch.stack([log_probs[len(prompt) + i - 1, token] for i, token in enumerate(response)])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_log_probs_of_padded_rows_are_those_of_each_text_alone(toy_module, architecture):
    module, lm, pairs = toy_module(), a_model(architecture), some_rows()
    batch = rlhf.pad(rlhf.rows(pairs), np.arange(len(pairs)), fill=29)
    with torch.no_grad():
        (fast,) = module.token_log_probs(lm, batch.tokens, batch.mask)
        slow = torch.cat([slow_log_probs(lm, *pair) for pair in pairs])
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)


def test_the_divergence_of_an_answer_is_the_sum_of_its_tokens_log_ratios(toy_module):
    policies, pairs = (a_model(seed=0), a_model(seed=1)), some_rows(11)
    tokenizer, cpu = SimpleNamespace(pad=29), torch.device("cpu")
    asked, responses = zip(*pairs, strict=True)
    with torch.no_grad():
        found = _kl(toy_module(), policies, asked, responses, tokenizer, cpu)
        reference, policy = ([slow_log_probs(lm, *p).sum() for p in pairs] for lm in policies)
    expected = [(one - other).item() for one, other in zip(policy, reference, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_sft_loss_is_the_one_of_transformers(toy_module):
    module, lm, pairs = toy_module(), a_model(), some_rows()
    batch = rlhf.pad(rlhf.rows(pairs), np.arange(len(pairs)), fill=0)
    labels = batch.tokens.masked_fill(~batch.mask, -100)
    positions = torch.arange(batch.tokens.shape[1])
    attention = (positions < batch.lengths.unsqueeze(1)).long()
    theirs = lm(input_ids=batch.tokens, attention_mask=attention, labels=labels).loss
    ours = module.sft_loss(lm, batch)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_loss_on_all_tokens(toy_module):
    module, lm, pairs = toy_module("dropout"), a_model(), some_rows()
    batch = rlhf.pad(rlhf.rows(pairs), np.arange(len(pairs)), fill=0)
    whole = [slow_log_probs(lm, text[:1], text[1:]) for text in (p + r for p, r in pairs)]
    torch.testing.assert_close(module.sft_loss(lm, batch), -torch.cat(whole).mean())


def test_bradley_terry_in_closed_form(toy_module):
    module = toy_module()
    scores = torch.tensor([[1.0, 0.0, -2.0], [0.5, 3.0, 0.0]])
    ranks = torch.tensor([3, 2])

    def nats(difference):
        return math.log(1 + math.exp(-difference))

    first = (nats(1.0) + nats(3.0) + nats(2.0)) / 3
    second = nats(-2.5)
    expected = torch.tensor((first + second) / 2)
    torch.testing.assert_close(module.reward_loss(scores, ranks), expected)


def test_plackett_luce_in_closed_form(toy_module):
    scores = torch.tensor([[1.0, 0.0, -2.0], [0.5, 3.0, 99.0]], requires_grad=True)
    ranks = torch.tensor([3, 2])
    module = toy_module("reward.objective=plackett-luce")
    e = math.exp
    first = e(1) / (e(1) + e(0) + e(-2)) * e(0) / (e(0) + e(-2))
    second = e(0.5) / (e(0.5) + e(3))
    loss = module.reward_loss(scores, ranks)
    torch.testing.assert_close(loss, torch.tensor(-(math.log(first) + math.log(second)) / 2))
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient[1, 2] == 0  # padding
    assert gradient.isfinite().all()


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_both_objectives_are_the_same_of_pairs(toy_module, margin):
    scores, ranks = torch.randn(8, 2), torch.full((8,), 2)
    flag = f"reward.margin={margin}"
    pairs = toy_module(flag).reward_loss(scores, ranks)
    whole = toy_module(flag, "reward.objective=plackett-luce").reward_loss(scores, ranks)
    torch.testing.assert_close(pairs, whole)


PENALTIES = {
    "k1": lambda x: x,
    "k2": lambda x: x**2 / 2,
    "k3": lambda x: math.exp(-x) - 1 + x,
}


@pytest.mark.parametrize("estimator", PENALTIES)
def test_token_rewards(toy_module, estimator):
    module = toy_module(f"ppo.kl.estimator={estimator}")
    mask = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 1, 0, 0]]).bool()
    ratio = torch.randn(2, 5) * mask
    scores = torch.tensor([2.0, -1.0])
    found = module.token_rewards(scores, ratio, mask, 0.5)
    for row, last in ((0, 3), (1, 2)):
        for t in range(5):
            expected = -0.5 * PENALTIES[estimator](ratio[row, t].item()) if mask[row, t] else 0.0
            expected += scores[row].item() if t == last else 0.0
            assert found[row, t].item() == pytest.approx(expected, abs=1e-6)


def test_gae_is_the_sum_of_later_errors(toy_module):
    """Schulman et al. 2016, eq. 16, as the double sum it is."""
    module = toy_module("ppo.advantage={gamma: 0.9, lambda: 0.7}")
    lengths, starts = [4, 1, 6], [2, 1, 3]
    mask = torch.zeros(3, 9).bool()
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        mask[row, start : start + length] = True
    rewards, values = torch.randn(3, 9) * mask, torch.randn(3, 9) * mask
    found = module.gae(rewards, values, mask)
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        r, v = (x[row, start : start + length].tolist() for x in (rewards, values))
        v.append(0.0)
        deltas = [r[t] + 0.9 * v[t + 1] - v[t] for t in range(length)]
        for t in range(length):
            expected = sum((0.9 * 0.7) ** (u - t) * deltas[u] for u in range(t, length))
            assert found[row, start + t].item() == pytest.approx(expected, abs=1e-5)
    assert (found[~mask] == 0).all()


def test_whitening_counts_tokens_of_responses_only(toy_module):
    mask = torch.rand(4, 7) > 0.4
    advantages = torch.randn(4, 7) * 3 + 5
    found = toy_module().whiten(advantages * mask, mask)
    chosen = advantages[mask].numpy()
    expected = (chosen - chosen.mean()) / chosen.std(ddof=1)
    np.testing.assert_allclose(found[mask].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert (found[~mask] == 0).all()


def slow_ppo_loss(policy, pairs, old, values_old, advantages, returns, beta):
    """Token by token, each text by itself: Schulman et al. 2017, eq. 7 and the clipped value."""
    surrogate, errors, entropies = [], [], []
    for row, (prompt, response) in enumerate(pairs):
        text = torch.tensor([[*prompt, *response]])
        states = policy.lm.base_model(input_ids=text)[0][0]
        logits = policy.lm.get_output_embeddings()(states)
        for i, token in enumerate(response):
            at = len(prompt) + i - 1
            log_probs = log_softmax(logits[at], -1)
            ratio = (log_probs[token] - old[row][i]).exp()
            a, r, v_old = advantages[row][i], returns[row][i], values_old[row][i]
            surrogate.append(torch.min(ratio * a, ratio.clamp(0.8, 1.2) * a))
            value = policy.value(states[at]).squeeze()
            near = v_old + (value - v_old).clamp(-0.2, 0.2)
            errors.append(torch.max((value - r) ** 2, (near - r) ** 2))
            entropies.append(-(log_probs.exp() * log_probs).sum())
    mean = [torch.stack(part).mean() for part in (surrogate, errors, entropies)]
    return -mean[0] + 0.1 * mean[1] - beta * mean[2]


@pytest.mark.parametrize("beta", [0.0, 0.02])
def test_ppo_loss_and_its_gradient(toy_module, beta):
    module = toy_module(f"ppo.losses.entropy.beta={beta}")
    torch.manual_seed(1)
    policy, pairs = module.Policy(a_model()), some_rows(seed=1)
    torch.nn.init.normal_(policy.value.weight)

    def of_tokens(shift=0.0, scale=1.0):
        return [(torch.randn(len(r)) * scale + shift) for _, r in pairs]

    with torch.no_grad():
        noise = of_tokens(scale=0.3)
        old = [slow_log_probs(policy.lm, *p) + n for p, n in zip(pairs, noise, strict=True)]
    values, advantages, returns = of_tokens(), of_tokens(), of_tokens()
    batch = rlhf.pad(rlhf.rows(pairs), np.arange(len(pairs)), fill=0)

    def placed(rows):
        return torch.zeros(batch.mask.shape).masked_scatter(batch.mask, torch.cat(rows))

    columns = [placed(rows) for rows in (old, values, advantages, returns)]
    rollout = module.Rollout(batch.tokens, batch.mask, *columns)
    order = torch.tensor([3, 0, 5, 1])
    fast, _ = module.ppo_loss(policy, module.minibatch(rollout, order))
    of_all = (pairs, old, values, advantages, returns)
    some, *others = ([rows[i] for i in order] for rows in of_all)
    slow = slow_ppo_loss(policy, some, *others, beta=beta)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    parameters = list(policy.parameters())
    for one, other in zip(
        torch.autograd.grad(fast, parameters), torch.autograd.grad(slow, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
