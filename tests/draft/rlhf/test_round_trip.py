"""Specs of `kind: rlhf`, said in English and drafted again, mean the same."""

import pytest

from ppoc.compiler.difference import differences
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.draft.compose import compose
from ppoc.draft.describe import describe
from ppoc.draft.engines import read_offline
from zoo import ROOT

HEAD = "ppoc: 1\nkind: rlhf\nname: a\n"
DATA = "data: {demonstrations: d.jsonl, preferences: p.jsonl}\n"
SPECS = {
    "plain": f"model: {{id: gpt2}}\n{DATA}",
    "hub": f"model: {{id: EleutherAI/pythia-70m, dtype: bfloat16, lora: {{rank: 4}}}}\n{DATA}",
    "new": "model: {config: {architecture: llama, layers: 3, heads: 2, hidden_size: 64, "
    f"context: 200, dropout: 0.1}}, tokenizer: byte}}\n{DATA}",
    "neox": f"model: {{config: {{architecture: gpt_neox}}, tokenizer: {{bpe: 1000}}}}\n{DATA}",
    "sft": "stages: [sft]\nmodel: {id: gpt2}\ndata: {demonstrations: d.jsonl, overlong: drop, "
    "max_response_tokens: 100}\nsft: {epochs: 5, batch_size: 8, loss_on: all, optimizer: "
    "{lr: 1e-4, schedule: linear, warmup: 0.1, weight_decay: 0.01, max_grad_norm: null}}\n",
    "reward": "stages: [reward]\nmodel: {id: distilgpt2}\ndata: {preferences: p.jsonl, held_out: "
    "0.2}\nreward: {start: base, epochs: 2, objective: plackett-luce, margin: 0.5, center: 0.1}\n",
    "reward of a run": "stages: [reward]\nmodel: {id: gpt2}\nstart: {policy: runs/sft-1}\n"
    "data: {preferences: p.jsonl}\n",
    "ppo": "stages: [ppo]\nmodel: {id: gpt2}\nstart: {policy: runs/a-1, reward: runs/b-2}\n"
    "data: {prompts: prompts.jsonl}\nppo: {episodes: 20000, rollout_size: 256, minibatch_size: 64, "
    "epochs: 2}\n",
    "ppo's numbers": f"model: {{id: gpt2}}\n{DATA}ppo:\n  generation: {{max_new_tokens: 50, "
    "temperature: 0.8, top_p: 0.95, top_k: 40}\n  kl: {beta: 0.1, target: 4.0, horizon: 5000, "
    "estimator: k3}\n  rewards: {normalize: false, clip: 5.0, missing_end: -2.0}\n  advantage: "
    "{gamma: 0.99, lambda: 0.9, whiten: false}\n  losses: {policy: {epsilon: 0.1}, value: {clip: "
    "null, coefficient: 0.5}, entropy: {beta: 0.01}}\n  value: separate\n  optimizer: {lr: 3e-6, "
    "schedule: cosine}\n  value_optimizer: {lr: 5e-5}\n  target_kl: 0.02\n",
    "schedules": f"model: {{id: gpt2}}\n{DATA}sft: {{optimizer: {{schedule: [[0, 1], [0.8, 1], "
    "[1, 0.1]]}}\nreward: {optimizer: {schedule: cosine}}\nppo: {optimizer: {lr: 1e-5, schedule: "
    "[[0, 0.5], [1, 0]]}}\n",
    "nothing held": f"model: {{id: gpt2}}\n{DATA}ppo: {{kl: {{beta: 0}}, rewards: {{missing_end: "
    "null}}\n",
    "around": f"model: {{id: gpt2-medium}}\n{DATA}evaluation: {{prompts: 100, samples: 2, every: "
    "5}\ntraining: {seed: 7, device: cpu, checkpoint_every: 10}\n",
    "both first": "stages: [sft, reward]\nmodel: {id: gpt2}\n" + DATA,
    "no sft": "stages: [reward, ppo]\nmodel: {id: gpt2}\nstart: {policy: base}\nreward: {start: "
    "base}\ndata: {preferences: p.jsonl, prompts: q.jsonl}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_words_of_the_whole_language_are_read_again(name):
    spec = resolve_text(HEAD + SPECS[name], "spec.yaml")
    text, unsaid = describe(spec)
    draft = compose(read_offline(text))
    assert unsaid == [], text
    assert [row.path for row in differences(spec, draft.resolved)] == [], text
    assert draft.notes == [], text


def test_the_zoos_is_too():
    spec = resolve(ROOT / "specs" / "rlhf" / "tiny.yaml")
    text, unsaid = describe(spec)
    assert unsaid == []
    assert differences(spec, compose(read_offline(text)).resolved) == []


def test_what_has_no_words_is_said():
    text = HEAD + SPECS["plain"] + "evaluation: {temperature: 0}\nsft: {optimizer: {ε: 1e-6}}\n"
    unsaid = describe(resolve_text(text, "spec.yaml"))[1]
    assert set(unsaid) == {"evaluation.temperature", "sft.optimizer.epsilon"}
