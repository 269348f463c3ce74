"""The losses and gradient steps of a generated module beside those of transformers and TRL.

TRL's PPOTrainer left it after 1.12: `pip install 'trl<1.13'` for all of these tests. Where the two
differ by design, a test says so:

- TRL gives an answer that ends early one more step, after its end, which earns the score and has a
  value of its own. For answers of full length there is no such step, and all numbers are the same;
  for shorter ones the policy's are where γ = λ = 1, for then the value of that step cancels out.
- TRL's value coefficient weighs half of the squared error.
"""

import copy
from importlib.util import find_spec

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime import rlhf
from ppoc.runtime.run.launch import load_module
from rlhf_toy import write_toy
from trl_side import ppo_iteration

HAS_TRL = find_spec("trl") is not None
needs_trl = pytest.mark.skipif(not HAS_TRL, reason="trl is not installed")
needs_ppo = pytest.mark.skipif(
    not (HAS_TRL and find_spec("trl.experimental.ppo")), reason="trl<1.13 is not installed"
)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A module of the toy spec for each set of changes."""
    made = {}

    def compiled(*changes):
        if changes not in made:
            folder = tmp_path_factory.mktemp("trl")
            document = resolve(write_toy(folder), list(changes))
            compile_spec(document).write(folder / "run")
            made[changes] = load_module(folder / "run" / "module.py")
        return made[changes]

    return compiled


@pytest.fixture(scope="module")
def tokenizer():
    return rlhf.Tokenizer(rlhf.byte_tokenizer())


def texts(count, generator, *, response=None):
    """Prompts, all different, and responses; with `response`, each of so many tokens."""
    integers = np.random.default_rng(generator)
    prompts = [integers.integers(0, 256, integers.integers(2, 12)).tolist() for _ in range(count)]
    lengths = [response or int(integers.integers(2, 17)) for _ in range(count)]
    return prompts, [integers.integers(0, 256, length).tolist() for length in lengths]


def hugging_face_batch(tokenizer, sequences):
    """Sequences as the models of transformers take them."""
    rows = [{"input_ids": sequence} for sequence in sequences]
    return tokenizer.inner.pad(rows, padding=True, padding_side="right", return_tensors="pt")


def learned(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_same_step(found, expected, before):
    """Assert that two models moved from `before`, and to the same place."""
    moved = 0.0
    for name, parameter in expected.items():
        torch.testing.assert_close(found[name], parameter, rtol=1e-4, atol=1e-6)
        moved += float((parameter - before[name]).abs().sum())
    assert moved > 1e-3


def test_sft_loss_is_that_of_labels(toy, tokenizer):
    module = toy()
    lm = module.make_model(tokenizer)
    prompts, responses = texts(9, 1)
    rows = rlhf.rows(list(zip(prompts, responses, strict=True)))
    ours = module.sft_loss(lm, rlhf.pad(rows, np.arange(9), tokenizer.pad))
    batch = hugging_face_batch(tokenizer, rows.tokens)
    labels = batch["input_ids"].clone()
    for row, prompt, tokens in zip(labels, prompts, rows.tokens, strict=True):
        row[: len(prompt)] = -100
        row[len(tokens) :] = -100
    theirs = lm(**batch, labels=labels).loss
    torch.testing.assert_close(ours, theirs, **CLOSE)
    mine = torch.autograd.grad(ours, list(lm.parameters()))
    other = torch.autograd.grad(theirs, list(lm.parameters()))
    for a, b in zip(mine, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_greedy_answers_are_those_of_generate(toy, tokenizer):
    """Prompts of different lengths, and answers that end at different tokens."""
    from transformers import GenerationConfig

    lm = toy().make_model(tokenizer).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # far from ties
        for parameter in lm.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.4, generator=generator)
    prompts, _ = texts(24, 2)
    endless = rlhf.generate(lm, prompts, end=-1, max_new_tokens=20, noise=None)
    # As the end, a token that comes in about half of the answers
    end = min(range(258), key=lambda token: abs(12 - sum(token in answer for answer in endless)))
    ours = rlhf.generate(lm, prompts, end=end, max_new_tokens=20, noise=None)
    config = GenerationConfig(
        max_new_tokens=20,
        do_sample=False,
        eos_token_id=end,
        pad_token_id=tokenizer.pad,
    )
    lm.generation_config = GenerationConfig()
    for prompt, found in zip(prompts, ours, strict=True):
        whole = lm.generate(torch.tensor([prompt]), generation_config=config)
        assert found == whole[0, len(prompt) :].tolist()
    assert 0 < sum(answer[-1] == end for answer in ours) < len(ours)
    assert len({len(answer) for answer in ours}) > 2


@needs_trl
def test_reward_step_is_that_of_reward_trainer(toy, tokenizer, tmp_path):
    """One step of RewardTrainer; its term that centres scores is another, so without it."""
    from datasets import Dataset
    from transformers import GPT2ForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    module = toy("reward.center=0", "reward.optimizer={lr: 1e-3, epsilon: 1e-3}")
    model = module.RewardModel(module.make_model(tokenizer))
    config = copy.deepcopy(model.trunk.config)
    config.num_labels, config.pad_token_id = 1, tokenizer.pad
    theirs = GPT2ForSequenceClassification(config)
    theirs.transformer = copy.deepcopy(model.trunk)
    theirs.score.weight.data = model.head.weight.detach().clone()
    prompts, chosen = texts(8, 4)
    _, rejected = texts(8, 5)
    before = learned(model.trunk)

    pairs = [pair for both in zip(chosen, rejected, strict=True) for pair in both]
    rows = rlhf.rows(list(zip([p for p in prompts for _ in "ab"], pairs, strict=True)))
    batch = rlhf.pad(rows, np.arange(16), tokenizer.pad)
    ranks = torch.full((8,), 2)
    scores = rlhf.by_ranking(model(batch.tokens, batch.lengths), ranks)
    loss = module.reward_loss(scores, ranks)
    optimizer = rlhf.adamw([(model.parameters(), 1e-3)], epsilon=1e-3)
    module.descend(optimizer, loss, 1.0)

    data = Dataset.from_list(
        [
            {"chosen_ids": p + c, "rejected_ids": p + r}
            for p, c, r in zip(prompts, chosen, rejected, strict=True)
        ]
    )
    trainer = RewardTrainer(
        model=theirs,
        args=RewardConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=8,
            max_steps=1,
            learning_rate=1e-3,
            adam_epsilon=1e-3,
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            logging_steps=1,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=data,
        processing_class=tokenizer.inner,
    )
    trainer.train()
    logged = next(row["loss"] for row in trainer.state.log_history if "loss" in row)
    assert loss.item() == pytest.approx(logged, abs=2e-4)  # TRL rounds it
    assert_same_step(learned(model.trunk), learned(theirs.transformer), before)
    torch.testing.assert_close(model.head.weight, theirs.score.weight, rtol=1e-4, atol=1e-6)


class Ppo:
    """A policy, its reference, a scorer and a value function, for both sides."""

    def __init__(self, module, tokenizer):
        from transformers import GenerationConfig, GPT2ForSequenceClassification

        torch.manual_seed(0)
        self.module, self.tokenizer = module, tokenizer
        self.lm = module.make_model(tokenizer).eval()
        self.reference = copy.deepcopy(self.lm)
        with torch.no_grad():  # a policy that has moved away from its reference
            for parameter in self.lm.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
        self.value = module.RewardModel(copy.deepcopy(self.reference))
        self.value.head.bias.requires_grad_(False)  # TRL's has none
        config = copy.deepcopy(self.lm.config)
        config.num_labels, config.pad_token_id = 1, tokenizer.pad
        self.scorers = []
        for seed in (1, 2):  # the scorer, and TRL's value function
            torch.manual_seed(seed)
            scorer = GPT2ForSequenceClassification(config)
            scorer.transformer = copy.deepcopy(self.value.trunk)
            self.scorers.append(scorer.eval())
        self.scorers[1].score.weight.data = self.value.head.weight.detach().clone()
        self.their_lm = copy.deepcopy(self.lm)
        self.their_lm.generation_config = GenerationConfig()

    def trl(self, monkeypatch, folder, prompts, responses, orders, **settings):
        return ppo_iteration(
            monkeypatch,
            folder,
            tokenizer=self.tokenizer.inner,
            policy=self.their_lm,
            reference=copy.deepcopy(self.reference),
            scorer=self.scorers[0],
            value=self.scorers[1],
            prompts=prompts,
            responses=responses,
            orders=orders,
            kl_coef=0.05,
            learning_rate=1e-3,
            adam_epsilon=1e-3,
            **settings,
        )

    def rollout(self, prompts, responses, scores):
        """Ours, with what went into it: log π, log π_ref, values and rewards."""
        module, by_rows = self.module, rlhf.by_rows
        rows = rlhf.rows(list(zip(prompts, responses, strict=True)))
        tokens, mask, _ = rlhf.pad(rows, np.arange(len(rows)), self.tokenizer.pad)
        policy = module.Policy(self.lm, self.value)
        log_probs, values = by_rows(policy, tokens, mask, 4)
        (log_probs_ref,) = by_rows(
            lambda some, marks: module.token_log_probs(self.reference, some, marks),
            tokens,
            mask,
            4,
        )
        rewards = module.token_rewards(scores, log_probs - log_probs_ref, mask, 0.05)
        advantages = module.gae(rewards, values, mask)
        whitened = module.whiten(advantages, mask)
        made = module.Rollout(tokens, mask, log_probs, values, whitened, advantages + values)
        return policy, made, log_probs_ref, rewards

    def learn(self, policy, rollout, orders, size):
        """The updates of the module over the rollout; the mean of their metrics."""
        module = self.module
        optimizer = rlhf.adamw([(policy.parameters(), 1e-3)], epsilon=1e-3)
        parts = torch.tensor(orders).flatten().split(size)
        rows = [module.update_ppo(policy, optimizer, module.minibatch(rollout, i)) for i in parts]
        return dict(zip(module.METRICS, torch.stack(rows).mean(0).tolist(), strict=True))


CHANGES = (
    "ppo.value=separate",
    "ppo.losses.value={coefficient: 0.05, clip: 0.2}",
    "ppo.optimizer.max_grad_norm=null",
    "ppo.rewards={normalize: false, missing_end: null}",
)


@needs_ppo
@pytest.mark.parametrize("minibatches", [1, 2])
def test_ppo_iteration_is_that_of_ppo_trainer(toy, tokenizer, monkeypatch, tmp_path, minibatches):
    """Log-probabilities, values, rewards, GAE, whitening, both losses, and the steps of Adam."""
    both = Ppo(toy(*CHANGES), tokenizer)
    prompts, responses = texts(8, 6, response=10)
    orders = [np.random.default_rng(epoch).permutation(8).tolist() for epoch in range(3)]
    before, value_before = learned(both.lm), learned(both.value.trunk)
    theirs = both.trl(monkeypatch, tmp_path, prompts, responses, orders, minibatches=minibatches)

    scores = torch.empty(8)
    scores[theirs.rows] = theirs.scores
    policy, rollout, log_probs_ref, rewards = both.rollout(prompts, responses, scores)
    mine = {
        "log_probs": rollout.log_probs,
        "log_probs_ref": log_probs_ref,
        "values": rollout.values,
        "rewards": rewards,
        "advantages": rollout.advantages,
        "returns": rollout.returns,
    }
    for name, column in mine.items():
        responses_only = column[rollout.mask].view(8, 10)[theirs.rows]
        torch.testing.assert_close(
            responses_only, getattr(theirs, name), rtol=2e-4, atol=2e-5, msg=lambda m, n=name: n + m
        )
    metrics = both.learn(policy, rollout, orders, 8 // minibatches)
    assert metrics["policy_loss"] == pytest.approx(theirs.metrics["loss/policy_avg"], abs=1e-4)
    half = theirs.metrics["loss/value_avg"]
    assert metrics["value_loss"] / 2 == pytest.approx(half, rel=1e-3)
    clipped = theirs.metrics["policy/clipfrac_avg"]
    assert clipped > 0.02
    assert metrics["clip_fraction"] >= clipped  # TRL counts what the minimum then takes
    assert_same_step(learned(both.lm), learned(both.their_lm), before)
    value = learned(both.scorers[1].transformer)
    assert_same_step(learned(both.value.trunk), value, value_before)


@needs_ppo
def test_policy_steps_on_answers_of_all_lengths(toy, tokenizer, monkeypatch, tmp_path):
    """Answers that end early, and γ = λ = 1: the policy's advantages and steps are TRL's."""
    both = Ppo(
        toy(*CHANGES, "ppo.losses.value.coefficient=0", "ppo.advantage={gamma: 1, lambda: 1}"),
        tokenizer,
    )
    prompts, responses = texts(8, 7)
    responses = [[*answer[:-1], tokenizer.end] for answer in responses]
    orders = [list(range(8)), list(range(8))[::-1]]
    before = learned(both.lm)
    theirs = both.trl(
        monkeypatch,
        tmp_path,
        prompts,
        responses,
        orders,
        minibatches=2,
        gamma=1.0,
        lam=1.0,
        vf_coef=0.0,
    )
    scores = torch.empty(8)
    scores[theirs.rows] = theirs.scores
    policy, rollout, log_probs_ref, _ = both.rollout(prompts, responses, scores)
    for place, row in enumerate(theirs.rows):
        count = len(responses[row])
        for ours, other in (
            (rollout.log_probs, theirs.log_probs),
            (log_probs_ref, theirs.log_probs_ref),
            (rollout.advantages, theirs.advantages),
        ):
            torch.testing.assert_close(
                ours[row][rollout.mask[row]], other[place, :count], rtol=2e-4, atol=2e-5
            )
    both.learn(policy, rollout, orders, 4)
    assert_same_step(learned(both.lm), learned(both.their_lm), before)
