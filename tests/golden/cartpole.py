"""cartpole-ppo: PPO's clipped surrogate with GAE on CartPole-v1, written by ppoc 0.1.0.

Read it from top to bottom: configuration, networks, action distribution, advantage, loss, update,
rollout, training. `python module.py` trains it; spec.lock.yaml says where each value comes from.

Shapes: T = 32 time steps a rollout, N = 8 environments, B = T·N = 256 samples, M = 256 samples a
minibatch, O = 4 observation components, A = 2 actions, P = 9155 parameters.

[GAE]  Schulman et al. 2016, High-dimensional continuous control using generalized advantage
       estimation, arXiv:1506.02438
[HS]   Hillis and Steele 1986, Data parallel algorithms, Communications of the ACM 29(12)
[Adam] Kingma and Ba 2015, Adam: a method for stochastic optimization, arXiv:1412.6980
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import linear, log_softmax

from ppoc import runtime

# ── Configuration ─────────────────────────────────────────────────────────────────────────────────

NAME = "cartpole-ppo"
ENV_ID = "CartPole-v1"
SEED = 1
DEVICE = "auto"

NUM_ENVS = 8  # N
ROLLOUT_LENGTH = 32  # T
BATCH_SIZE = 256  # B = T·N
EPOCHS = 20  # passes over each batch
MINIBATCH_SIZE = 256  # M
NUM_ITERATIONS = 391  # 100,096 environment steps
CHECKPOINT_EVERY = 39  # iterations
EVALUATION_EPISODES = 100
EVALUATION_DETERMINISTIC = True
EVALUATION_MAX_STEPS = 27000  # an episode that takes more is cut
EVALUATION_NUM_ENVS = 8  # at most

GAMMA = 0.98  # γ, the discount factor
LAMBDA = 0.8  # λ of GAE: 0 for the TD error, 1 for the return
CLIP_RANGE = 0.2  # ε, falling linearly to 0
VALUE_COEFFICIENT = 0.5

LEARNING_RATE = 0.001  # falling linearly to 0
ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-5
MAX_GRAD_NORM = 0.5

OBSERVATION_SPACE = (  # of the environment this is compiled for
    "Box",
    (4,),
    "float32",
    (-4.8, -1e999, -0.418879, -1e999),
    (4.8, 1e999, 0.418879, 1e999),
)
ACTION_SPACE = ("Discrete", 2, 0)
ACTION_SIZE = 2  # A

# All parameters live in one flat vector [P], in this order.
SHAPES = {
    "actor.0.weight": (64, 4),
    "actor.0.bias": (64,),
    "actor.1.weight": (64, 64),
    "actor.1.bias": (64,),
    "actor.2.weight": (2, 64),
    "actor.2.bias": (2,),
    "critic.0.weight": (64, 4),
    "critic.0.bias": (64,),
    "critic.1.weight": (64, 64),
    "critic.1.bias": (64,),
    "critic.2.weight": (1, 64),
    "critic.2.bias": (1,),
}
METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "grad_norm")


# ── Networks ──────────────────────────────────────────────────────────────────────────────────────


def initial_parameters(seed: int) -> Tensor:
    """The parameters training starts from, [P]."""
    generator = torch.Generator().manual_seed(seed)
    return runtime.flatten(
        {
            "actor.0.weight": runtime.orthogonal(64, 4, gain=2**0.5, generator=generator),
            "actor.0.bias": torch.zeros(64),
            "actor.1.weight": runtime.orthogonal(64, 64, gain=2**0.5, generator=generator),
            "actor.1.bias": torch.zeros(64),
            "actor.2.weight": runtime.orthogonal(2, 64, gain=0.01, generator=generator),
            "actor.2.bias": torch.zeros(2),
            "critic.0.weight": runtime.orthogonal(64, 4, gain=2**0.5, generator=generator),
            "critic.0.bias": torch.zeros(64),
            "critic.1.weight": runtime.orthogonal(64, 64, gain=2**0.5, generator=generator),
            "critic.1.bias": torch.zeros(64),
            "critic.2.weight": runtime.orthogonal(1, 64, gain=1.0, generator=generator),
            "critic.2.bias": torch.zeros(1),
        },
        SHAPES,
    )


def actor(p: dict[str, Tensor], observations: Tensor) -> Tensor:
    """Logits [..., A] of observations [..., O]."""
    hidden = torch.tanh(linear(observations, p["actor.0.weight"], p["actor.0.bias"]))
    hidden = torch.tanh(linear(hidden, p["actor.1.weight"], p["actor.1.bias"]))
    return linear(hidden, p["actor.2.weight"], p["actor.2.bias"])


def critic(p: dict[str, Tensor], observations: Tensor) -> Tensor:
    """Values [...] of observations [..., O]."""
    hidden = torch.tanh(linear(observations, p["critic.0.weight"], p["critic.0.bias"]))
    hidden = torch.tanh(linear(hidden, p["critic.1.weight"], p["critic.1.bias"]))
    return linear(hidden, p["critic.2.weight"], p["critic.2.bias"]).squeeze(-1)


# ── Action distribution: categorical ──────────────────────────────────────────────────────────────


def log_prob(logits: Tensor, actions: Tensor) -> Tensor:
    """log π(a|s), [...], of actions [...], int64, under logits [..., A]."""
    return log_softmax(logits, -1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def entropy(logits: Tensor) -> Tensor:
    """Entropy in nats, [...], of the distributions given by logits [..., A]."""
    log_probs = log_softmax(logits, -1)
    return -(log_probs.exp() * log_probs).sum(-1)


def act(weights: dict[str, np.ndarray], observations: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Actions [N], int64, for Gumbel noise [N, A]; zero noise gives the mode.

    The actor again, in NumPy: for a few rows a torch call costs more than its arithmetic.

    The largest of logits plus Gumbel noise is a sample of their softmax (Gumbel 1954).
    """
    hidden = np.tanh(observations @ weights["actor.0.weight"].T + weights["actor.0.bias"])
    hidden = np.tanh(hidden @ weights["actor.1.weight"].T + weights["actor.1.bias"])
    logits = hidden @ weights["actor.2.weight"].T + weights["actor.2.bias"]
    return np.argmax(logits + noise, axis=-1)


def draw_noise(rng: np.random.Generator, steps: int, num_envs: int) -> np.ndarray:
    """The noise `act` needs for some time steps, [steps, num_envs, A]."""
    return rng.gumbel(size=(steps, num_envs, ACTION_SIZE))


# ── Advantage ─────────────────────────────────────────────────────────────────────────────────────


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


def gae(
    rewards: Tensor, values: Tensor, next_values: Tensor, terminated: Tensor, truncated: Tensor
) -> Tensor:
    """Generalised advantage estimation, [T, N], from inputs [T, N] ([GAE] eq. 16).

        δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ)
        Aₜ = δₜ + γλ Aₜ₊₁

    `next_values` are of each transition's true successor. A terminal state is worth nothing; a time
    limit only ends the sum, and its last state still counts with its value.
    """
    deltas = rewards + GAMMA * next_values * ~terminated - values
    decays = GAMMA * LAMBDA * (~(terminated | truncated)).to(rewards)
    return discounted_sums(deltas, decays)


# ── Loss ──────────────────────────────────────────────────────────────────────────────────────────


class Batch(NamedTuple):
    """The samples of an update: B samples, with T and N flattened into one axis."""

    observations: Tensor  # [B, O]
    actions: Tensor  # [B], int64
    log_probs: Tensor  # [B], log π_old(a|s)
    advantages: Tensor  # [B]
    returns: Tensor  # [B], targets of the value function: advantage + V_old(s)


def loss(params: Tensor, batch: Batch, clip_range: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, [], and all of METRICS but the last, of parameters [P] on a batch."""
    p = runtime.unflatten(params, SHAPES)
    logits = actor(p, batch.observations)
    log_probs = log_prob(logits, batch.actions)
    mean_entropy = entropy(logits).mean()
    log_ratio = log_probs - batch.log_probs
    ratio = log_ratio.exp()
    # KL(π_old, π), never negative and of low variance (Schulman 2020, Approximating KL divergence)
    kl = ratio - 1 - log_ratio
    advantages = (batch.advantages - batch.advantages.mean()) / (batch.advantages.std() + 1e-8)

    # Maximise E[min(r·Â, clip(r, 1 − ε, 1 + ε)·Â)]: PPO's clipped surrogate (Schulman et al. 2017,
    # Proximal policy optimization algorithms, eq. 7)
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    objective = torch.min(ratio * advantages, clipped * advantages)
    policy_loss = -objective.mean()

    # Minimise E[(V − R)²]: the squared error (Sutton and Barto 2018, Reinforcement learning, eq.
    # 9.1)
    values = critic(p, batch.observations)
    error = (values - batch.returns) ** 2
    value_loss = error.mean()

    total = policy_loss + VALUE_COEFFICIENT * value_loss
    clip_fraction = (clipped != ratio).float().mean()
    metrics = torch.stack([policy_loss, value_loss, mean_entropy, kl.mean(), clip_fraction])
    return total, metrics.detach()


# ── Update ────────────────────────────────────────────────────────────────────────────────────────


class TrainState(NamedTuple):
    """All that learning changes."""

    params: Tensor  # [P]
    m: Tensor  # [P], Adam's mean of gradients
    v: Tensor  # [P], Adam's mean of squared gradients
    step: Tensor  # [], float64, updates made


def initial_learner(seed: int) -> TrainState:
    """A learner before its first update, on the CPU."""
    params = initial_parameters(seed)
    zeros = torch.zeros_like(params)
    return TrainState(params, zeros, zeros, torch.zeros((), dtype=torch.float64))


def update(
    learner: TrainState, batch: Batch, indices: Tensor, learning_rate: Tensor, clip_range: Tensor
) -> tuple[TrainState, Tensor]:
    """One gradient step on the samples at `indices`, [M]: the learner after it, and METRICS."""
    minibatch = Batch(*(column[indices] for column in batch))
    with torch.enable_grad():
        params = learner.params.detach().requires_grad_()
        total, metrics = loss(params, minibatch, clip_range)
    (gradient,) = torch.autograd.grad(total, params)
    grad_norm = torch.linalg.vector_norm(gradient)
    gradient = gradient * (MAX_GRAD_NORM / (grad_norm + 1e-6)).clamp(max=1)

    # [Adam] algorithm 1
    step = learner.step + 1
    m = ADAM_BETA1 * learner.m + (1 - ADAM_BETA1) * gradient
    v = ADAM_BETA2 * learner.v + (1 - ADAM_BETA2) * gradient**2
    m_hat = m / (1 - ADAM_BETA1**step)
    v_hat = v / (1 - ADAM_BETA2**step)
    params = learner.params - learning_rate * m_hat / (v_hat.sqrt() + ADAM_EPSILON)
    metrics = torch.cat([metrics, grad_norm.unsqueeze(0)])
    return TrainState(params, m, v, step), metrics


# ── Rollout ───────────────────────────────────────────────────────────────────────────────────────


class Rollout(NamedTuple):
    """T steps of N environments, in NumPy, time first."""

    observations: np.ndarray  # [T, N, O], as the environment gave them
    actions: np.ndarray  # [T, N], int64
    rewards: np.ndarray  # [T, N], as the environment gave them
    terminated: np.ndarray  # [T, N], bool: the task ended
    truncated: np.ndarray  # [T, N], bool: the time limit came
    next_observations: np.ndarray  # [T, N, O], true successors, also where an episode ended


def make_envs(num_envs: int) -> runtime.VectorEnv:
    """Environments that reset themselves within the step that ends an episode."""
    return runtime.make_envs(
        ENV_ID, num_envs, backend="gymnasium", spaces=(OBSERVATION_SPACE, ACTION_SPACE)
    )


def collect(
    envs: runtime.VectorEnv,
    weights: dict[str, np.ndarray],
    observations: np.ndarray,
    noise: np.ndarray,
) -> tuple[Rollout, np.ndarray]:
    """A rollout from `observations`, [N, O], and the observations it ends at.

    Only actions are computed here. The policy does not change during a rollout, so `make_batch`
    evaluates values and log-probabilities for all of it at once.
    """
    steps, num_envs = len(noise), len(observations)
    rollout = Rollout(
        observations=np.empty((steps, *observations.shape), np.float32),
        actions=np.empty((steps, num_envs), np.int64),
        rewards=np.empty((steps, num_envs), np.float32),
        terminated=np.empty((steps, num_envs), np.bool_),
        truncated=np.empty((steps, num_envs), np.bool_),
        next_observations=np.empty((steps, *observations.shape), np.float32),
    )
    for t in range(steps):
        actions = act(weights, observations, noise[t])
        step = envs.step(actions)
        rollout.observations[t] = observations
        rollout.actions[t] = actions
        rollout.rewards[t] = step.rewards
        rollout.terminated[t] = step.terminated
        rollout.truncated[t] = step.truncated
        rollout.next_observations[t] = step.next_observations
        observations = step.observations
    return rollout, observations


@torch.no_grad()
def make_batch(
    params: Tensor,
    observations: Tensor,
    actions: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    next_observations: Tensor,
) -> Batch:
    """The batch of `update`: a Rollout's fields as tensors."""
    p = runtime.unflatten(params, SHAPES)
    log_probs = log_prob(actor(p, observations), actions)
    values = critic(p, observations)
    next_values = critic(p, next_observations)
    advantages = gae(rewards, values, next_values, terminated, truncated)
    return Batch(
        observations=observations.flatten(0, 1),
        actions=actions.flatten(0, 1),
        log_probs=log_probs.flatten(),
        advantages=advantages.flatten(),
        returns=(advantages + values).flatten(),
    )


# ── Training ──────────────────────────────────────────────────────────────────────────────────────


def update_epochs(
    update_step: Callable[..., tuple[Tensor, ...]],
    learner: TrainState,
    batch: Batch,
    permutations: Tensor,
    learning_rate: Tensor,
    clip_range: Tensor,
) -> tuple[TrainState, Tensor]:
    """Epochs of minibatches through `update_step`, which is `update` or a compiled form of it.

    `permutations`, [EPOCHS, B], are of the batch, one an epoch. Returns the learner after all,
    and the mean of METRICS.
    """
    totals = torch.zeros(len(METRICS), device=permutations.device)
    for permutation in permutations:
        for indices in permutation.split(MINIBATCH_SIZE):
            learner, metrics = update_step(learner, batch, indices, learning_rate, clip_range)
            totals += metrics
    return learner, totals / (EPOCHS * BATCH_SIZE // MINIBATCH_SIZE)


def policy(
    weights: dict[str, np.ndarray],
    rng: np.random.Generator | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """From observations [N, O] to actions: a sample where `rng` is given, else the mode."""

    def choose(observations: np.ndarray) -> np.ndarray:
        noise = np.zeros(1, np.float32) if rng is None else draw_noise(rng, 1, len(observations))[0]
        return act(weights, observations, noise)

    return choose


def load_policy(
    checkpoint: runtime.Checkpoint, rng: np.random.Generator | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The `policy` of a checkpoint."""
    weights = runtime.as_arrays(runtime.flatten(checkpoint["parameters"], SHAPES), SHAPES)
    return policy(weights, rng)


def train(run: runtime.Run) -> None:
    """Alternate rollouts and updates, from the start or from the checkpoint the run resumes."""
    torch.set_num_threads(1)  # for networks this small, handing work to a second thread costs more
    envs = runtime.ActionReplayEnv(run.opened(make_envs(NUM_ENVS)))
    episodes = runtime.EpisodeTracker(NUM_ENVS)
    learner = initial_learner(SEED)
    if run.checkpoint is not None:
        params = runtime.flatten(run.checkpoint["parameters"], SHAPES)
        learner = TrainState(params, **run.checkpoint["optimizer"])
    learner = TrainState(*(tensor.to(run.device) for tensor in learner))
    # Too few updates in this run to earn back the time to compile it.
    update_step = run.log_updates(update)
    run.owns(
        parameters=lambda: runtime.unflatten(learner.params, SHAPES),
        optimizer=lambda: {"m": learner.m, "v": learner.v, "step": learner.step},
        episodes=episodes,
        replay=envs.state,
    )
    observations = run.replay(envs)  # None where new episodes begin, as at a start

    for iteration in run.iterations(NUM_ITERATIONS, BATCH_SIZE):
        if observations is None:
            observations = envs.reset(runtime.derive_seed(SEED, iteration))
            episodes.discard_partial()
        rng = np.random.default_rng((SEED, iteration))
        remaining = 1 - iteration / NUM_ITERATIONS
        learning_rate = torch.tensor(LEARNING_RATE * remaining, device=run.device)
        clip_range = torch.tensor(CLIP_RANGE * remaining, device=run.device)

        weights = runtime.as_arrays(learner.params, SHAPES)
        noise = draw_noise(rng, ROLLOUT_LENGTH, NUM_ENVS)
        rollout, observations = collect(envs, weights, observations, noise)
        runtime.check_rollout(ENV_ID, rollout)
        ended = rollout.terminated | rollout.truncated
        episodes.extend(rollout.rewards, ended)

        tensors = (torch.as_tensor(x, device=run.device) for x in rollout)
        batch = make_batch(learner.params, *tensors)
        permutations = rng.permuted(np.tile(np.arange(BATCH_SIZE), (EPOCHS, 1)), axis=1)
        permutations = torch.as_tensor(permutations, device=run.device)
        learner, metrics = update_epochs(
            update_step, learner, batch, permutations, learning_rate, clip_range
        )

        steps = (iteration + 1) * BATCH_SIZE
        run.log(
            steps,
            {
                "episode_return": episodes.mean_return,
                "episode_length": episodes.mean_length,
                **dict(zip(METRICS, metrics.tolist(), strict=True)),
                "explained_variance": float(1 - batch.advantages.var() / batch.returns.var()),
                "largest_reward": float(abs(rollout.rewards).max()),
                "learning_rate": LEARNING_RATE * remaining,
                "clip_range": CLIP_RANGE * remaining,
            },
        )
        if run.checkpoint_due(iteration, CHECKPOINT_EVERY):
            run.save(steps)


INTERFACE = runtime.AgentInterface(
    name=NAME,
    seed=SEED,
    device=DEVICE,
    stages={"train": train},
    total_steps={"train": NUM_ITERATIONS * BATCH_SIZE},
    environment=runtime.Environment(
        id=ENV_ID,
        observations=OBSERVATION_SPACE,
        actions=ACTION_SPACE,
        make=make_envs,
    ),
    policy=runtime.Policy(
        shapes=SHAPES,
        load=load_policy,
        distribution="categorical",
        actor=actor,
    ),
    rollouts=runtime.Rollouts(
        num_envs=NUM_ENVS,
        length=ROLLOUT_LENGTH,
        batch_size=BATCH_SIZE,
        collect=collect,
        draw_noise=draw_noise,
    ),
    learning=runtime.Learning(
        initial_parameters=initial_parameters,
        initial_learner=initial_learner,
        make_batch=make_batch,
        objective=loss,
        arguments=(CLIP_RANGE,),
    ),
    evaluation=runtime.Evaluation(
        episodes=EVALUATION_EPISODES,
        deterministic=EVALUATION_DETERMINISTIC,
        max_steps=EVALUATION_MAX_STEPS,
        num_envs=EVALUATION_NUM_ENVS,
    ),
    settings={
        "env.num_envs": NUM_ENVS,
        "update.rollout_steps": BATCH_SIZE,
        "update.epochs": EPOCHS,
        "update.minibatch_size": MINIBATCH_SIZE,
        "advantage.gamma": GAMMA,
        "advantage.lambda": LAMBDA,
        "losses.policy.epsilon": CLIP_RANGE,
        "losses.value.coefficient": VALUE_COEFFICIENT,
        "optimizer.actor.lr": LEARNING_RATE,
        "optimizer.critic.lr": LEARNING_RATE,
        "optimizer.actor.epsilon": ADAM_EPSILON,
        "optimizer.critic.epsilon": ADAM_EPSILON,
        "optimizer.max_grad_norm": MAX_GRAD_NORM,
    },
)


if __name__ == "__main__":
    runtime.main(sys.modules[__name__])
