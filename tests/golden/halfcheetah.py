"""halfcheetah-ppo: PPO's clipped surrogate with GAE on HalfCheetah-v5, written by ppoc 0.1.0.

Read it from top to bottom: configuration, networks, action distribution, advantage, loss, update,
rollout, training. `python module.py` trains it; spec.lock.yaml says where each value comes from.

Shapes: T = 256 time steps a rollout, N = 8 environments, B = T·N = 2048 samples, M = 64 samples a
minibatch, O = 17 observation components, A = 6 action components, P = 11085 parameters.

[GAE]  Schulman et al. 2016, High-dimensional continuous control using generalized advantage
       estimation, arXiv:1506.02438
[HS]   Hillis and Steele 1986, Data parallel algorithms, Communications of the ACM 29(12)
[Adam] Kingma and Ba 2015, Adam: a method for stochastic optimization, arXiv:1412.6980
"""

import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.nn.functional import linear

from ppoc import runtime

# ── Configuration ─────────────────────────────────────────────────────────────────────────────────

NAME = "halfcheetah-ppo"
ENV_ID = "HalfCheetah-v5"
SEED = 1
DEVICE = "auto"

NUM_ENVS = 8  # N
ROLLOUT_LENGTH = 256  # T
BATCH_SIZE = 2048  # B = T·N
EPOCHS = 10  # passes over each batch
MINIBATCH_SIZE = 64  # M
NUM_ITERATIONS = 489  # the last of them 576 steps
TOTAL_STEPS = 1_000_000  # of the environments together
CHECKPOINT_EVERY = 49  # iterations
RESTART_EVERY = 128  # iterations, after which all episodes begin anew
EVALUATE_EVERY = 49  # iterations
EVALUATION_EPISODES = 20
EVALUATION_DETERMINISTIC = True
EVALUATION_MAX_STEPS = 27000  # an episode that takes more is cut
EVALUATION_NUM_ENVS = 8  # at most

GAMMA = 0.99  # γ, the discount factor
LAMBDA = 0.95  # λ of GAE: 0 for the TD error, 1 for the return
CLIP_RANGE = 0.2  # ε
VALUE_COEFFICIENT = 0.25
VALUE_CLIP_RANGE = 0.2

LEARNING_RATE = 0.0003  # falling linearly to 0
ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-5
MAX_GRAD_NORM = 0.5

OBSERVATION_SPACE = (  # of the environment this is compiled for
    "Box",
    (17,),
    "float64",
    -1e999,
    1e999,
)
ACTION_SPACE = ("Box", (6,), "float64", -1.0, 1.0)
OBSERVATION_SIZE = 17  # O
ACTION_SIZE = 6  # A
NORMALIZE_CLIP = 10.0  # in standard deviations
ACTION_LOW = -1.0  # actions are clipped on their way out
ACTION_HIGH = 1.0

# All parameters live in one flat vector [P], in this order.
SHAPES = {
    "actor.0.weight": (64, 17),
    "actor.0.bias": (64,),
    "actor.1.weight": (64, 64),
    "actor.1.bias": (64,),
    "actor.2.weight": (6, 64),
    "actor.2.bias": (6,),
    "log_std": (6,),
    "critic.0.weight": (64, 17),
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
            "actor.0.weight": runtime.orthogonal(64, 17, gain=2**0.5, generator=generator),
            "actor.0.bias": torch.zeros(64),
            "actor.1.weight": runtime.orthogonal(64, 64, gain=2**0.5, generator=generator),
            "actor.1.bias": torch.zeros(64),
            "actor.2.weight": runtime.orthogonal(6, 64, gain=0.01, generator=generator),
            "actor.2.bias": torch.zeros(6),
            "log_std": torch.full((6,), 0.0),
            "critic.0.weight": runtime.orthogonal(64, 17, gain=2**0.5, generator=generator),
            "critic.0.bias": torch.zeros(64),
            "critic.1.weight": runtime.orthogonal(64, 64, gain=2**0.5, generator=generator),
            "critic.1.bias": torch.zeros(64),
            "critic.2.weight": runtime.orthogonal(1, 64, gain=1.0, generator=generator),
            "critic.2.bias": torch.zeros(1),
        },
        SHAPES,
    )


def actor(p: dict[str, Tensor], observations: Tensor) -> Tensor:
    """Means [..., A] of observations [..., O]."""
    hidden = torch.tanh(linear(observations, p["actor.0.weight"], p["actor.0.bias"]))
    hidden = torch.tanh(linear(hidden, p["actor.1.weight"], p["actor.1.bias"]))
    return linear(hidden, p["actor.2.weight"], p["actor.2.bias"])


def critic(p: dict[str, Tensor], observations: Tensor) -> Tensor:
    """Values [...] of observations [..., O]."""
    hidden = torch.tanh(linear(observations, p["critic.0.weight"], p["critic.0.bias"]))
    hidden = torch.tanh(linear(hidden, p["critic.1.weight"], p["critic.1.bias"]))
    return linear(hidden, p["critic.2.weight"], p["critic.2.bias"]).squeeze(-1)


# ── Action distribution: a diagonal Gaussian with a state-independent standard deviation ──────────


def log_prob(mean: Tensor, log_std: Tensor, actions: Tensor) -> Tensor:
    """log π(a|s), [...], of actions [..., A] under means [..., A] and log σ [A]."""
    z = (actions - mean) * torch.exp(-log_std)
    return -(0.5 * z**2 + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def entropy(log_std: Tensor) -> Tensor:
    """Differential entropy in nats, []; the same in every state, since σ is."""
    return (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum()


def act(weights: dict[str, np.ndarray], observations: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Actions [N, A] for normal noise [N, A]; zero noise gives the mode.

    The actor again, in NumPy: for a few rows a torch call costs more than its arithmetic.
    """
    hidden = np.tanh(observations @ weights["actor.0.weight"].T + weights["actor.0.bias"])
    hidden = np.tanh(hidden @ weights["actor.1.weight"].T + weights["actor.1.bias"])
    mean = hidden @ weights["actor.2.weight"].T + weights["actor.2.bias"]
    return mean + np.exp(weights["log_std"]) * noise


def draw_noise(rng: np.random.Generator, steps: int, num_envs: int) -> np.ndarray:
    """The noise `act` needs for some time steps, [steps, num_envs, A]."""
    return rng.standard_normal((steps, num_envs, ACTION_SIZE), dtype=np.float32)


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

    observations: Tensor  # [B, O], normalised
    actions: Tensor  # [B, A], before clipping to the bounds
    log_probs: Tensor  # [B], log π_old(a|s)
    values: Tensor  # [B], V_old(s)
    advantages: Tensor  # [B]
    returns: Tensor  # [B], targets of the value function: advantage + V_old(s)


def loss(params: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """The loss, [], and all of METRICS but the last, of parameters [P] on a batch."""
    p = runtime.unflatten(params, SHAPES)
    mean, log_std = actor(p, batch.observations), p["log_std"]
    log_probs = log_prob(mean, log_std, batch.actions)
    mean_entropy = entropy(log_std)
    log_ratio = log_probs - batch.log_probs
    ratio = log_ratio.exp()
    # KL(π_old, π), never negative and of low variance (Schulman 2020, Approximating KL divergence)
    kl = ratio - 1 - log_ratio
    advantages = (batch.advantages - batch.advantages.mean()) / (batch.advantages.std() + 1e-8)

    # Maximise E[min(r·Â, clip(r, 1 − ε, 1 + ε)·Â)]: PPO's clipped surrogate (Schulman et al. 2017,
    # Proximal policy optimization algorithms, eq. 7)
    clipped = ratio.clamp(1 - CLIP_RANGE, 1 + CLIP_RANGE)
    objective = torch.min(ratio * advantages, clipped * advantages)
    policy_loss = -objective.mean()

    # Minimise E[max((V − R)², (V_old + clip(V − V_old, −c, c) − R)²)]: the squared error, clipped
    # around the old value (Huang et al. 2022, The 37 implementation details of PPO, detail 9)
    values = critic(p, batch.observations)
    bounded = (values - batch.values).clamp(-VALUE_CLIP_RANGE, VALUE_CLIP_RANGE)
    error = torch.max((values - batch.returns) ** 2, (batch.values + bounded - batch.returns) ** 2)
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
    learner: TrainState, batch: Batch, indices: Tensor, learning_rate: Tensor
) -> tuple[TrainState, Tensor]:
    """One gradient step on the samples at `indices`, [M]: the learner after it, and METRICS."""
    minibatch = Batch(*(column[indices] for column in batch))
    gradient, (_, metrics) = grad_and_value(loss, has_aux=True)(learner.params, minibatch)
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
    actions: np.ndarray  # [T, N, A], before clipping to the bounds
    rewards: np.ndarray  # [T, N], as the environment gave them
    terminated: np.ndarray  # [T, N], bool: the task ended
    truncated: np.ndarray  # [T, N], bool: the time limit came
    next_observations: np.ndarray  # [T, N, O], true successors, also where an episode ended


def new_normalizer() -> runtime.ObservationNormalizer:
    """Observation statistics that know nothing yet."""
    return runtime.ObservationNormalizer(OBSERVATION_SIZE, clip=NORMALIZE_CLIP)


def make_envs(num_envs: int) -> runtime.VectorEnv:
    """Environments that reset themselves within the step that ends an episode."""
    return runtime.make_envs(
        ENV_ID, num_envs, backend="envpool", spaces=(OBSERVATION_SPACE, ACTION_SPACE)
    )


def collect(
    envs: runtime.VectorEnv,
    weights: dict[str, np.ndarray],
    normalize: runtime.ObservationNormalizer,
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
        actions=np.empty((steps, num_envs, 6), np.float32),
        rewards=np.empty((steps, num_envs), np.float32),
        terminated=np.empty((steps, num_envs), np.bool_),
        truncated=np.empty((steps, num_envs), np.bool_),
        next_observations=np.empty((steps, *observations.shape), np.float32),
    )
    for t in range(steps):
        actions = act(weights, normalize(observations), noise[t])
        step = envs.step(np.clip(actions, ACTION_LOW, ACTION_HIGH))
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
    """The batch of `update`: a Rollout's fields as tensors, normalised."""
    p = runtime.unflatten(params, SHAPES)
    log_probs = log_prob(actor(p, observations), p["log_std"], actions)
    values = critic(p, observations)
    next_values = critic(p, next_observations)
    advantages = gae(rewards, values, next_values, terminated, truncated)
    return Batch(
        observations=observations.flatten(0, 1),
        actions=actions.flatten(0, 1),
        log_probs=log_probs.flatten(),
        values=values.flatten(),
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
) -> tuple[TrainState, Tensor]:
    """Epochs of minibatches through `update_step`, which is `update` or a compiled form of it.

    `permutations`, [EPOCHS, B], are of the batch, one an epoch. Returns the learner after all,
    and the mean of METRICS.
    """
    totals = torch.zeros(len(METRICS), device=permutations.device)
    for permutation in permutations:
        for indices in permutation.split(MINIBATCH_SIZE):
            learner, metrics = update_step(learner, batch, indices, learning_rate)
            totals += metrics
    return learner, totals / (permutations.numel() // MINIBATCH_SIZE)


def policy(
    weights: dict[str, np.ndarray],
    normalize: runtime.ObservationNormalizer,
    rng: np.random.Generator | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """From observations [N, O] to actions: a sample where `rng` is given, else the mode."""

    def choose(observations: np.ndarray) -> np.ndarray:
        noise = np.zeros(1, np.float32) if rng is None else draw_noise(rng, 1, len(observations))[0]
        return np.clip(act(weights, normalize(observations), noise), ACTION_LOW, ACTION_HIGH)

    return choose


def load_policy(
    checkpoint: runtime.Checkpoint, rng: np.random.Generator | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The `policy` of a checkpoint, with the observation statistics it was trained with."""
    weights = runtime.as_arrays(runtime.flatten(checkpoint["parameters"], SHAPES), SHAPES)
    normalize = new_normalizer()
    normalize.load(checkpoint["observations"])
    return policy(weights, normalize, rng)


def train(run: runtime.Run) -> None:
    """Alternate rollouts and updates, from the start or from the checkpoint the run resumes."""
    torch.set_num_threads(1)  # for networks this small, handing work to a second thread costs more
    envs = runtime.ActionReplayEnv(run.opened(make_envs(NUM_ENVS)))
    episodes = runtime.EpisodeTracker(NUM_ENVS)
    learner = initial_learner(SEED)
    normalize = new_normalizer()
    scale_rewards = runtime.RewardNormalizer(NUM_ENVS, GAMMA, clip=NORMALIZE_CLIP)
    if run.checkpoint is not None:
        params = runtime.flatten(run.checkpoint["parameters"], SHAPES)
        learner = TrainState(params, **run.checkpoint["optimizer"])
    learner = TrainState(*(tensor.to(run.device) for tensor in learner))
    update_step = run.log_updates(run.compile(update))
    run.owns(
        parameters=lambda: runtime.unflatten(learner.params, SHAPES),
        optimizer=lambda: {"m": learner.m, "v": learner.v, "step": learner.step},
        episodes=episodes,
        observations=normalize,
        rewards=scale_rewards,
        replay=envs.state,
    )
    observations = run.replay(envs)  # None where new episodes begin, as at a start

    for iteration in run.iterations(NUM_ITERATIONS, BATCH_SIZE, TOTAL_STEPS):
        if observations is None:
            observations = envs.reset(runtime.derive_seed(SEED, iteration))
            episodes.discard_partial()
            scale_rewards.reset_returns()
        rng = np.random.default_rng((SEED, iteration))
        remaining = 1 - iteration / NUM_ITERATIONS
        learning_rate = torch.tensor(LEARNING_RATE * remaining, device=run.device)

        weights = runtime.as_arrays(learner.params, SHAPES)
        length = min(ROLLOUT_LENGTH, (TOTAL_STEPS - iteration * BATCH_SIZE) // NUM_ENVS)
        noise = draw_noise(rng, length, NUM_ENVS)
        rollout, observations = collect(envs, weights, normalize, observations, noise)
        runtime.check_rollout(ENV_ID, rollout)
        ended = rollout.terminated | rollout.truncated
        episodes.extend(rollout.rewards, ended)

        samples = rollout._replace(
            observations=normalize(rollout.observations),
            next_observations=normalize(rollout.next_observations),
            rewards=scale_rewards(rollout.rewards, ended),
        )
        tensors = (torch.as_tensor(x, device=run.device) for x in samples)
        batch = make_batch(learner.params, *tensors)
        permutations = rng.permuted(np.tile(np.arange(len(batch.advantages)), (EPOCHS, 1)), axis=1)
        permutations = torch.as_tensor(permutations, device=run.device)
        rows = runtime.padded(batch, BATCH_SIZE)  # the one shape that the update is compiled for
        learner, metrics = update_epochs(update_step, learner, rows, permutations, learning_rate)
        normalize.update(rollout.observations)  # not before: a rollout sees one policy

        steps = min((iteration + 1) * BATCH_SIZE, TOTAL_STEPS)
        run.log(
            steps,
            {
                "episode_return": episodes.mean_return,
                "episode_length": episodes.mean_length,
                **dict(zip(METRICS, metrics.tolist(), strict=True)),
                "explained_variance": float(1 - batch.advantages.var() / batch.returns.var()),
                "actions_at_bound": runtime.share_at_bound(
                    rollout.actions, ACTION_LOW, ACTION_HIGH
                ),
                "learning_rate": LEARNING_RATE * remaining,
            },
        )
        if (iteration + 1) % EVALUATE_EVERY == 0:
            weights = runtime.as_arrays(learner.params, SHAPES)
            chosen = policy(weights, normalize)
            run.evaluate(steps, make_envs, chosen, EVALUATION_EPISODES, SEED + 1 + iteration)
        if (iteration + 1) % RESTART_EVERY == 0:
            envs.forget()  # envpool seeds no single environment: all begin anew, as at a start
            observations = None
        if run.checkpoint_due(iteration, CHECKPOINT_EVERY):
            run.save(steps)


INTERFACE = runtime.AgentInterface(
    name=NAME,
    seed=SEED,
    device=DEVICE,
    stages={"train": train},
    total_steps={"train": TOTAL_STEPS},
    environment=runtime.Environment(
        id=ENV_ID,
        observations=OBSERVATION_SPACE,
        actions=ACTION_SPACE,
        make=make_envs,
    ),
    policy=runtime.Policy(
        shapes=SHAPES,
        load=load_policy,
        distribution="gaussian",
        actor=actor,
        new_normalizer=new_normalizer,
        low=ACTION_LOW,
        high=ACTION_HIGH,
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
        "losses.value.clip": VALUE_CLIP_RANGE,
        "optimizer.actor.lr": LEARNING_RATE,
        "optimizer.critic.lr": LEARNING_RATE,
        "optimizer.actor.epsilon": ADAM_EPSILON,
        "optimizer.critic.epsilon": ADAM_EPSILON,
        "optimizer.max_grad_norm": MAX_GRAD_NORM,
        "env.normalize.clip": NORMALIZE_CLIP,
        "env.normalize.observations": True,
        "env.normalize.rewards": True,
    },
)


if __name__ == "__main__":
    runtime.main(sys.modules[__name__])
