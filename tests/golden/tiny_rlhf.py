"""tiny-rlhf: a gpt2 model learns from human feedback, written by ppoc 0.1.0.

Read it from top to bottom: configuration, model, then the steps of [InstructGPT]
in their order. `python module.py` trains them all; spec.lock.yaml says where each value comes from.

Shapes: B texts in a batch, L tokens in the longest of them, padded on the right, R tokens of
responses among them; K answers in a ranking; N = 128 responses a rollout; H components of a hidden
state, V tokens in the vocabulary.

[InstructGPT]  Ouyang et al. 2022, Training language models to follow instructions with human
               feedback, arXiv:2203.02155
[Ziegler]      Ziegler et al. 2019, Fine-tuning language models from human preferences,
               arXiv:1909.08593
[GAE]          Schulman et al. 2016, High-dimensional continuous control using generalized advantage
               estimation, arXiv:1506.02438
[HS]           Hillis and Steele 1986, Data parallel algorithms, Communications of the ACM 29(12)
"""

import copy
import functools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ppoc.runtime import rlhf

# ── Configuration ─────────────────────────────────────────────────────────────────────────────────

NAME = "tiny-rlhf"
SEED = 1
DEVICE = "auto"

DEMONSTRATIONS = "data/demonstrations.jsonl"  # beside this file
PREFERENCES = "data/preferences.jsonl"  # beside this file
PROMPTS = "data/prompts.jsonl"  # beside this file
HELD_OUT = 0.1  # share of the prompts kept for evaluation
MAX_PROMPT_TOKENS = 24
MAX_RESPONSE_TOKENS = 40  # end of text included
OVERLONG = "error"

ARCHITECTURE = "gpt2"
LAYERS = 2
HEADS = 4
HIDDEN_SIZE = 128  # H
CONTEXT = 64  # tokens of prompt and response
DROPOUT = 0.0
VOCABULARY = 448  # V

REFERENCE = "sft"  # stage whose policy is the first of those after it

SFT_EPOCHS = 12
SFT_BATCH_SIZE = 32
SFT_LEARNING_RATE = 0.002  # falling to 0 along half a cosine
SFT_WARMUP = 0.05  # share of updates with a rising rate
SFT_MAX_GRAD_NORM = 1.0

REWARD_EPOCHS = 4
REWARD_BATCH_SIZE = 32  # rankings
REWARD_CENTER = 0.01  # weight of the mean squared score
REWARD_LEARNING_RATE = 0.0005  # falling to 0 along half a cosine
REWARD_MAX_GRAD_NORM = 1.0

NUM_ITERATIONS = 32  # 4,096 responses
ROLLOUT_SIZE = 128  # N
EPOCHS = 4  # passes over each rollout
MINIBATCH_SIZE = 32  # responses
MAX_NEW_TOKENS = 40
TEMPERATURE = 1.0  # logits are divided by it
KL_WEIGHT = 0.2  # β of the KL penalty, which follows KL_TARGET
KL_TARGET = 6.0  # nats a response
KL_HORIZON = 2000  # responses over which β adapts
SCALE_SAMPLES = 256  # responses that set the scale of scores
MISSING_END_SCORE = -1.0  # of a response without an end

GAMMA = 1.0  # γ, the discount factor of a token
LAMBDA = 0.95  # λ of GAE: 0 for the TD error, 1 for returns
CLIP_RANGE = 0.2  # ε
VALUE_COEFFICIENT = 0.1
VALUE_CLIP_RANGE = 0.2
LEARNING_RATE = 0.0003
MAX_GRAD_NORM = 1.0
VALUE_LEARNING_RATE = 0.003

CHECKPOINTS = 10  # in each stage
EVALUATION_PROMPTS = 40
EVALUATION_SAMPLES = 4  # responses to each
EVALUATION_TEMPERATURE = 1.0

FOLDER = Path(__file__).parent
LIMITS = rlhf.Limits(MAX_PROMPT_TOKENS, MAX_RESPONSE_TOKENS, OVERLONG)
METRICS = ("policy_loss", "value_loss", "approx_kl", "clip_fraction", "grad_norm")


# ── Model ─────────────────────────────────────────────────────────────────────────────────────────


def make_tokenizer() -> Any:
    """Byte pairs, learnt from the demonstrations."""
    examples = rlhf.read_demonstrations(FOLDER / DEMONSTRATIONS)
    texts = [example.prompt + example.response for example in examples]
    return rlhf.bpe_tokenizer(texts, VOCABULARY)


def make_model(tokenizer: rlhf.Tokenizer) -> nn.Module:
    """The language model that learning starts from."""
    return rlhf.new_model(
        ARCHITECTURE,
        layers=LAYERS,
        heads=HEADS,
        hidden_size=HIDDEN_SIZE,
        context=CONTEXT,
        vocabulary=tokenizer.vocabulary,
        dropout=DROPOUT,
        seed=SEED,
    )


def load_policy(root: Path, stage: str, tokenizer: rlhf.Tokenizer) -> nn.Module:
    """The language model as a stage left it in a run folder."""
    lm = make_model(tokenizer)
    rlhf.load(lm, rlhf.saved(root, stage)["policy"])
    return lm


def states_before(lm: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """Hidden states [R, H] before each of the R tokens of [B, L] that `mask` marks."""
    return rlhf.hidden_states(lm.base_model, tokens[:, :-1], mask[:, 1:])


def next_token_logits(lm: nn.Module, states: Tensor) -> Tensor:
    """Logits [R, V] of the tokens that follow states [R, H]."""
    return lm.get_output_embeddings()(states).float()


def log_prob(logits: Tensor, tokens: Tensor) -> Tensor:
    """log π(token | text before it), [R], of tokens [R] under logits [R, V]."""
    return logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)


def descend(
    optimizer: torch.optim.Optimizer, loss: Tensor, max_grad_norm: float, factor: float = 1.0
) -> Tensor:
    """A step of AdamW down a loss, at `factor` times its rates; the gradient's norm, []."""
    optimizer.zero_grad()
    loss.backward()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    grad_norm = nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    optimizer.step()
    return grad_norm


# ── Step 1: supervised fine-tuning ────────────────────────────────────────────────────────────────


def sft_loss(lm: nn.Module, batch: rlhf.Padded) -> Tensor:
    """Minus the mean log-likelihood of the demonstrated responses, [], in nats a token."""
    logits = next_token_logits(lm, states_before(lm, batch.tokens, batch.mask))
    return -log_prob(logits, batch.tokens[batch.mask]).mean()


def train_sft(run: rlhf.Stage) -> None:
    """Learn to answer as the demonstrations do ([InstructGPT] section 3.5)."""
    tokenizer = run.tokenizer(make_tokenizer)
    learn, held_out = rlhf.demonstrations(
        FOLDER / DEMONSTRATIONS, tokenizer, LIMITS, HELD_OUT, SEED
    )
    lm = make_model(tokenizer).to(run.device)
    optimizer = rlhf.adamw([(lm.parameters(), SFT_LEARNING_RATE)])
    if run.checkpoint is not None:
        rlhf.load(lm, run.checkpoint["policy"])
        rlhf.load_optimizer(optimizer, run.checkpoint["optimizer"])
    run.owns(policy=lambda: rlhf.trained(lm), optimizer=lambda: rlhf.optimizer_state(optimizer))
    per_epoch = math.ceil(len(learn) / SFT_BATCH_SIZE)
    updates = SFT_EPOCHS * per_epoch

    for update, indices in rlhf.batches(run, learn.lengths, SFT_EPOCHS, SFT_BATCH_SIZE, SEED):
        factor = 0.5 * (1 + math.cos(math.pi * update / updates))
        factor *= min(1.0, (update + 1) / (SFT_WARMUP * updates))
        batch = rlhf.pad(learn, indices, tokenizer.pad).to(run.device)
        loss = sft_loss(lm, batch)
        grad_norm = descend(optimizer, loss, SFT_MAX_GRAD_NORM, factor)

        done = update + 1
        run.log(
            done,
            {
                "loss": loss.item(),
                "grad_norm": grad_norm.item(),
                "learning_rate": SFT_LEARNING_RATE * factor,
            },
            tokens=int(learn.lengths[indices].sum()),
        )
        if done % per_epoch == 0:
            run.record(done, rlhf.mean_loss(sft_loss, lm, held_out, SFT_BATCH_SIZE, tokenizer.pad))
        if run.checkpoint_due(update, math.ceil(updates / CHECKPOINTS)):
            run.save(done)


# ── Step 2: the reward model ──────────────────────────────────────────────────────────────────────


class RewardModel(nn.Module):
    """A score for a whole text, read off the hidden state of its last token."""

    def __init__(self, lm: nn.Module) -> None:
        super().__init__()
        self.trunk = lm.base_model
        width = lm.config.hidden_size
        self.head = nn.Linear(width, 1)
        nn.init.normal_(self.head.weight, std=width**-0.5)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Scores [B] of texts [B, L] of `lengths` [B] tokens."""
        last = torch.arange(tokens.shape[1], device=tokens.device) == lengths.unsqueeze(1) - 1
        states = rlhf.hidden_states(self.trunk, tokens, last)
        return self.head(states).squeeze(-1).float()


def new_reward_model(root: Path, tokenizer: rlhf.Tokenizer) -> RewardModel:
    """A reward model before it learns, with the weights of the supervised policy."""
    lm = load_policy(root, "sft", tokenizer)
    torch.manual_seed(SEED)
    return RewardModel(lm)


def load_reward_model(root: Path, tokenizer: rlhf.Tokenizer) -> RewardModel:
    """The reward model of a run folder."""
    model = RewardModel(make_model(tokenizer))
    rlhf.load(model, rlhf.saved(root, "reward")["reward"])
    return model


def reward_loss(scores: Tensor, ranks: Tensor) -> Tensor:
    """Minus the mean log-likelihood of the preferences, [] ([InstructGPT] eq. 1).

    P(i is preferred to j) = σ(scoreᵢ − scoreⱼ), as in Bradley and Terry 1952. A ranking counts as
    the mean of its pairs.

    Args:
        scores: [B, K], of the answers to each prompt, the best first.
        ranks: [B], how many of the K there are; what comes after is padding.
    """
    size = scores.shape[1]
    better, worse = torch.triu_indices(size, size, 1, device=scores.device)
    there = worse < ranks.unsqueeze(-1)
    weights = there / there.sum(-1, keepdim=True)
    likelihood = logsigmoid(scores[:, better] - scores[:, worse])
    return -(weights * likelihood).sum(-1).mean()


def train_reward(run: rlhf.Stage) -> None:
    """Learn to score answers as people rank them ([InstructGPT] section 3.5)."""
    tokenizer = run.tokenizer(make_tokenizer)
    learn, held_out = rlhf.preferences(FOLDER / PREFERENCES, tokenizer, LIMITS, HELD_OUT, SEED)
    model = new_reward_model(run.root, tokenizer).to(run.device)
    optimizer = rlhf.adamw([(model.parameters(), REWARD_LEARNING_RATE)])
    if run.checkpoint is not None:
        rlhf.load(model, run.checkpoint["reward"])
        rlhf.load_optimizer(optimizer, run.checkpoint["optimizer"])
    run.owns(reward=lambda: rlhf.trained(model), optimizer=lambda: rlhf.optimizer_state(optimizer))
    per_epoch = math.ceil(len(learn) / REWARD_BATCH_SIZE)
    updates = REWARD_EPOCHS * per_epoch

    for update, indices in rlhf.batches(run, learn.lengths, REWARD_EPOCHS, REWARD_BATCH_SIZE, SEED):
        factor = 0.5 * (1 + math.cos(math.pi * update / updates))
        batch, ranks = rlhf.pad_rankings(learn, indices, tokenizer.pad, run.device)
        scores = model(batch.tokens, batch.lengths)
        ranked = rlhf.by_ranking(scores, ranks)
        # Likelihoods know differences only: the second term keeps the scores themselves near 0.
        loss = reward_loss(ranked, ranks) + REWARD_CENTER * scores.square().mean()
        grad_norm = descend(optimizer, loss, REWARD_MAX_GRAD_NORM, factor)

        done = update + 1
        run.log(
            done,
            {
                "loss": loss.item(),
                "accuracy": rlhf.pair_accuracy(ranked, ranks).item(),
                "grad_norm": grad_norm.item(),
                "learning_rate": REWARD_LEARNING_RATE * factor,
            },
            tokens=int(batch.lengths.sum()),
        )
        if done % per_epoch == 0:
            run.record(done, rlhf.mean_accuracy(model, held_out, REWARD_BATCH_SIZE, tokenizer.pad))
        if run.checkpoint_due(update, math.ceil(updates / CHECKPOINTS)):
            run.save(done)


# ── Step 3: PPO, its rewards ──────────────────────────────────────────────────────────────────────

# An answer to a prompt is an episode: a state is the text so far, an action its next token. The
# reward model scores the whole answer, and each token pays for leaving the policy one started from.


def respond(
    lm: nn.Module, prompts: list[list[int]], tokenizer: rlhf.Tokenizer, rng: np.random.Generator
) -> list[list[int]]:
    """A sampled response to each prompt."""
    return rlhf.generate(
        lm,
        prompts,
        end=tokenizer.end,
        max_new_tokens=MAX_NEW_TOKENS,
        noise=rng.random((len(prompts), MAX_NEW_TOKENS), np.float32),
        temperature=TEMPERATURE,
    )


def score(
    model: RewardModel,
    prompts: list[list[int]],
    responses: list[list[int]],
    tokenizer: rlhf.Tokenizer,
    scale: Tensor,
) -> Tensor:
    """Scores [N] of responses, on a scale of which `scale` is [mean, deviation]."""
    mean, deviation = scale
    raw = rlhf.raw_scores(model, prompts, responses, tokenizer, MINIBATCH_SIZE)
    scores = (raw - mean) / deviation
    ended = torch.tensor([r[-1] == tokenizer.end for r in responses], device=scores.device)
    return torch.where(ended, scores, MISSING_END_SCORE)


def load_score(
    root: Path, tokenizer: rlhf.Tokenizer, device: torch.device
) -> Callable[[list[list[int]], list[list[int]]], Tensor]:
    """From prompts and responses to their scores, as a run folder's PPO sees them."""
    model = load_reward_model(root, tokenizer).to(device).eval()
    scale = rlhf.saved(root, "ppo")["scores"]["scale"].to(device)
    return functools.partial(score, model, tokenizer=tokenizer, scale=scale)


def token_rewards(scores: Tensor, log_ratio: Tensor, mask: Tensor, kl_weight: float) -> Tensor:
    """The reward of each token of a response, [N, L] ([Ziegler] eq. 2).

        rₜ = −β log(π(aₜ|sₜ) / π_ref(aₜ|sₜ)), and the last token earns the score too

    Args:
        scores: [N], of whole responses.
        log_ratio: [N, L], log π − log π_ref.
        mask: [N, L], bool: tokens of responses.
        kl_weight: β.
    """
    rewards = -kl_weight * log_ratio * mask
    last = mask.shape[1] - 1 - mask.flip(1).int().argmax(1)
    return rewards.scatter_add(1, last.unsqueeze(1), scores.unsqueeze(1))


def discounted_sums(terms: Tensor, decays: Tensor) -> Tensor:
    """yₜ = xₜ + dₜ yₜ₊₁ of terms x and decays d, [T, N], with nothing after the last; [T, N].

    All steps at once, by recursive doubling ([HS]): after k rounds each sum spans 2ᵏ steps.
    """
    sums, span = terms, 1
    while span < len(terms):
        sums = torch.cat([sums[:-span] + decays[:-span] * sums[span:], sums[-span:]])
        decays = torch.cat([decays[:-span] * decays[span:], decays[-span:]])
        span *= 2
    return sums


def gae(rewards: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Generalised advantage estimation over tokens, [N, L], from inputs [N, L] ([GAE] eq. 16).

        δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ)
        Aₜ = δₜ + γλ Aₜ₊₁

    What follows a response is worth nothing, also where the response was cut short. `values` and
    `rewards` are 0 outside of `mask`.
    """
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    deltas = (rewards + GAMMA * following - values) * mask
    return discounted_sums(deltas.T, GAMMA * LAMBDA * mask.T).T


def whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """Advantages [N, L] with mean 0 and deviation 1 over all tokens of responses."""
    chosen = advantages[mask]
    return (advantages - chosen.mean()) / (chosen.std() + 1e-8) * mask


# ── Step 3: PPO, its loss ─────────────────────────────────────────────────────────────────────────


class Policy(nn.Module):
    """The language model as a policy, with a value function as a head on it."""

    def __init__(self, lm: nn.Module) -> None:
        super().__init__()
        self.lm = lm
        self.value = nn.Linear(lm.config.hidden_size, 1)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs at the R tokens of [B, L] in `mask`: log π and values, each [R]."""
        states = states_before(self.lm, tokens, mask)
        logits = next_token_logits(self.lm, states)
        values = self.value(states).squeeze(-1).float()
        return log_prob(logits, tokens[mask]), values


def token_log_probs(lm: nn.Module, tokens: Tensor, mask: Tensor) -> tuple[Tensor]:
    """log π, [R], of the R tokens of [B, L] that `mask` marks."""
    logits = next_token_logits(lm, states_before(lm, tokens, mask))
    return (log_prob(logits, tokens[mask]),)


class Rollout(NamedTuple):
    """N responses in rows with their prompts; all but `tokens` is 0 outside of the responses."""

    tokens: Tensor  # [N, L], int64
    mask: Tensor  # [N, L], bool: tokens of responses
    log_probs: Tensor  # [N, L], log π_old
    values: Tensor  # [N, L], V_old
    advantages: Tensor  # [N, L]
    returns: Tensor  # [N, L], targets of the value function: advantage + V_old


class Batch(NamedTuple):
    """Some rows of a rollout: their text, and what is known of the R tokens of their responses."""

    tokens: Tensor  # [B, L], int64
    mask: Tensor  # [B, L], bool
    log_probs: Tensor  # [R]
    values: Tensor  # [R]
    advantages: Tensor  # [R]
    returns: Tensor  # [R]


def minibatch(rollout: Rollout, indices: Tensor) -> Batch:
    """The rows of a rollout at `indices`, cut to the longest of them."""
    mask = rollout.mask[indices]
    mask = mask[:, : int(mask.any(0).nonzero().max()) + 1]
    tokens, _, *columns = (column[indices, : mask.shape[1]] for column in rollout)
    return Batch(tokens, mask, *(column[mask] for column in columns))


def ppo_loss(policy: Policy, batch: Batch) -> tuple[Tensor, Tensor]:
    """The loss, [], and all of METRICS but the last: means over the R tokens of a batch."""
    log_probs, values = policy(batch.tokens, batch.mask)
    log_ratio = log_probs - batch.log_probs
    ratio = log_ratio.exp()
    # KL(π_old, π), never negative and of low variance (Schulman 2020, Approximating KL divergence)
    kl = ratio - 1 - log_ratio
    advantages = batch.advantages

    # Maximise E[min(r·Â, clip(r, 1 − ε, 1 + ε)·Â)]: PPO's clipped surrogate (Schulman et al. 2017,
    # Proximal policy optimization algorithms, eq. 7)
    clipped = ratio.clamp(1 - CLIP_RANGE, 1 + CLIP_RANGE)
    objective = torch.min(ratio * advantages, clipped * advantages)
    policy_loss = -objective.mean()

    # Minimise E[max((V − R)², (V_old + clip(V − V_old, −c, c) − R)²)]: the squared error, clipped
    # around the old value (Huang et al. 2022, The 37 implementation details of PPO, detail 9)
    bounded = (values - batch.values).clamp(-VALUE_CLIP_RANGE, VALUE_CLIP_RANGE)
    error = torch.max((values - batch.returns) ** 2, (batch.values + bounded - batch.returns) ** 2)
    value_loss = error.mean()

    total = policy_loss + VALUE_COEFFICIENT * value_loss
    clip_fraction = (clipped != ratio).float().mean()
    metrics = torch.stack([policy_loss, value_loss, kl.mean(), clip_fraction])
    return total, metrics.detach()


def update_ppo(policy: Policy, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
    """One gradient step on a minibatch; METRICS."""
    total, metrics = ppo_loss(policy, batch)
    grad_norm = descend(optimizer, total, MAX_GRAD_NORM)
    return torch.cat([metrics, grad_norm.unsqueeze(0)])


# ── Step 3: PPO, its training ─────────────────────────────────────────────────────────────────────


def train_ppo(run: rlhf.Stage) -> None:
    """Learn what the reward model scores high, and stay near the policy one started from."""
    tokenizer = run.tokenizer(make_tokenizer)
    prompts, _ = rlhf.prompts(FOLDER / PROMPTS, tokenizer, LIMITS, HELD_OUT, SEED)
    reward_model = load_reward_model(run.root, tokenizer).to(run.device)
    reward_model.eval().requires_grad_(False)
    reference = load_policy(run.root, REFERENCE, tokenizer).to(run.device)
    policy = Policy(copy.deepcopy(reference)).to(run.device)
    reference.eval().requires_grad_(False)
    policy.eval()  # without dropout, the policy that is updated is the one that acted
    optimizer = rlhf.adamw(
        [(policy.lm.parameters(), LEARNING_RATE), (policy.value.parameters(), VALUE_LEARNING_RATE)]
    )
    kl_weight = KL_WEIGHT
    if run.checkpoint is not None:
        rlhf.load(policy.lm, run.checkpoint["policy"])
        rlhf.load(policy.value, run.checkpoint["value"])
        rlhf.load_optimizer(optimizer, run.checkpoint["optimizer"])
        kl_weight = run.checkpoint["kl"]["weight"].item()
        scale = run.checkpoint["scores"]["scale"].to(run.device)
    else:
        # [Ziegler] section 2.1: what the first policy says has scores of mean 0 and deviation 1
        asked = rlhf.draw(prompts, SCALE_SAMPLES, 0, SEED)
        responses = respond(policy.lm, asked, tokenizer, rlhf.rng(SEED, "ppo", NUM_ITERATIONS))
        raw = rlhf.raw_scores(reward_model, asked, responses, tokenizer, MINIBATCH_SIZE)
        scale = torch.stack([raw.mean(), raw.std() + 1e-8])
    run.owns(
        policy=lambda: rlhf.trained(policy.lm),
        value=lambda: rlhf.trained(policy.value),
        optimizer=lambda: rlhf.optimizer_state(optimizer),
        kl=lambda: {"weight": torch.tensor(kl_weight, dtype=torch.float64)},
        scores=lambda: {"scale": scale},
    )

    for iteration in run.iterations(NUM_ITERATIONS, ROLLOUT_SIZE):
        rng = rlhf.rng(SEED, "ppo", iteration)
        asked = rlhf.draw(prompts, ROLLOUT_SIZE, iteration, SEED)
        responses = respond(policy.lm, asked, tokenizer, rng)
        scores = score(reward_model, asked, responses, tokenizer, scale)
        rows = rlhf.rows(list(zip(asked, responses, strict=True)))
        tokens, mask, _ = rlhf.pad(rows, np.arange(len(rows)), tokenizer.pad).to(run.device)
        log_probs, values = rlhf.by_rows(policy, tokens, mask, MINIBATCH_SIZE)
        of_reference = functools.partial(token_log_probs, reference)
        (log_probs_ref,) = rlhf.by_rows(of_reference, tokens, mask, MINIBATCH_SIZE)
        log_ratio = log_probs - log_probs_ref
        rewards = token_rewards(scores, log_ratio, mask, kl_weight)
        advantages = gae(rewards, values, mask)
        returns = advantages + values
        rollout = Rollout(tokens, mask, log_probs, values, whiten(advantages, mask), returns)

        permutations = np.concatenate([rng.permutation(ROLLOUT_SIZE) for _ in range(EPOCHS)])
        rows_of = torch.from_numpy(permutations).to(run.device).split(MINIBATCH_SIZE)
        updates = []
        for indices in rows_of:
            updates.append(update_ppo(policy, optimizer, minibatch(rollout, indices)))
        metrics = torch.stack(updates).mean(0)

        steps = (iteration + 1) * ROLLOUT_SIZE
        kl_to_reference = log_ratio.sum(1).mean().item()
        unexplained = advantages[mask].var() / returns[mask].var()
        run.log(
            steps,
            {
                "score": scores.mean().item(),
                "kl_to_reference": kl_to_reference,
                "response_length": mask.sum(1).float().mean().item(),
                "ended": float(np.mean([r[-1] == tokenizer.end for r in responses])),
                "entropy": -log_probs[mask].mean().item(),  # its estimate from the tokens drawn
                **dict(zip(METRICS, metrics.tolist(), strict=True)),
                "explained_variance": 1 - unexplained.item(),
                "kl_weight": kl_weight,
                "learning_rate": LEARNING_RATE,
            },
            tokens=int(mask.sum()),
        )
        # [Ziegler] section 2.2: β grows where the policy is farther away than it is to be
        error = min(max(kl_to_reference / KL_TARGET - 1, -0.2), 0.2)
        kl_weight *= 1 + error * ROLLOUT_SIZE / KL_HORIZON
        if run.checkpoint_due(iteration, math.ceil(NUM_ITERATIONS / CHECKPOINTS)):
            run.save(steps)


INTERFACE = rlhf.LanguageModelInterface(
    name=NAME,
    seed=SEED,
    device=DEVICE,
    stages={
        "sft": train_sft,
        "reward": train_reward,
        "ppo": train_ppo,
    },
    total_steps={"ppo": NUM_ITERATIONS * ROLLOUT_SIZE},
    data=rlhf.Data(
        folder=FOLDER,
        limits=LIMITS,
        demonstrations=DEMONSTRATIONS,
        preferences=PREFERENCES,
        prompts=PROMPTS,
        held_out=HELD_OUT,
    ),
    model=rlhf.LanguageModel(
        make=make_model,
        load_policy=load_policy,
        reference=REFERENCE,
    ),
    generation=rlhf.Generation(
        max_new_tokens=MAX_NEW_TOKENS,
        temperature=TEMPERATURE,
    ),
    evaluation=rlhf.AnswerEvaluation(
        prompts=EVALUATION_PROMPTS,
        samples=EVALUATION_SAMPLES,
        temperature=EVALUATION_TEMPERATURE,
    ),
    settings={
        "data.held_out": HELD_OUT,
        "data.max_prompt_tokens": MAX_PROMPT_TOKENS,
        "data.max_response_tokens": MAX_RESPONSE_TOKENS,
        "model.config.architecture": ARCHITECTURE,
        "model.config.dropout": DROPOUT,
        "sft.epochs": SFT_EPOCHS,
        "sft.batch_size": SFT_BATCH_SIZE,
        "sft.optimizer.lr": SFT_LEARNING_RATE,
        "sft.optimizer.warmup": SFT_WARMUP,
        "sft.optimizer.max_grad_norm": SFT_MAX_GRAD_NORM,
        "reward.epochs": REWARD_EPOCHS,
        "reward.batch_size": REWARD_BATCH_SIZE,
        "reward.center": REWARD_CENTER,
        "reward.optimizer.lr": REWARD_LEARNING_RATE,
        "reward.optimizer.max_grad_norm": REWARD_MAX_GRAD_NORM,
        "ppo.rollout_size": ROLLOUT_SIZE,
        "ppo.epochs": EPOCHS,
        "ppo.minibatch_size": MINIBATCH_SIZE,
        "ppo.generation.max_new_tokens": MAX_NEW_TOKENS,
        "ppo.generation.temperature": TEMPERATURE,
        "ppo.kl.beta": KL_WEIGHT,
        "ppo.kl.target": KL_TARGET,
        "ppo.kl.horizon": KL_HORIZON,
        "ppo.rewards.missing_end": MISSING_END_SCORE,
        "ppo.advantage.gamma": GAMMA,
        "ppo.advantage.lambda": LAMBDA,
        "ppo.losses.policy.epsilon": CLIP_RANGE,
        "ppo.losses.value.coefficient": VALUE_COEFFICIENT,
        "ppo.losses.value.clip": VALUE_CLIP_RANGE,
        "ppo.optimizer.lr": LEARNING_RATE,
        "ppo.optimizer.max_grad_norm": MAX_GRAD_NORM,
        "ppo.value_optimizer.lr": VALUE_LEARNING_RATE,
        "ppo.rewards.normalize": True,
    },
)


if __name__ == "__main__":
    rlhf.main(sys.modules[__name__])
