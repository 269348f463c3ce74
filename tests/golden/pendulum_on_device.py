"""pendulum-ppo: PPO's clipped surrogate with GAE on Pendulum-v1, written by ppoc 0.1.0.

Read it from top to bottom: configuration, networks, action distribution, advantage, loss, update,
rollout, training. `python module.py` trains it; spec.lock.yaml says where each value comes from.

Shapes: T = 1024 time steps a rollout, N = 4 environments, B = T·N = 4096 samples, M = 64 samples a
minibatch, O = 3 observation components, A = 1 action components, P = 8963 parameters.

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
from ppoc.runtime import tensor_envs, tensor_statistics

# ── Configuration ─────────────────────────────────────────────────────────────────────────────────

NAME = "pendulum-ppo"
ENV_ID = "Pendulum-v1"
SEED = 1
DEVICE = "auto"

NUM_ENVS = 4  # N
ROLLOUT_LENGTH = 1024  # T
BATCH_SIZE = 4096  # B = T·N
CHUNK = 4  # time steps compiled as one
EPOCHS = 10  # passes over each batch
MINIBATCH_SIZE = 64  # M
NUM_ITERATIONS = 74  # the last of them 1,024 steps
TOTAL_STEPS = 300_032  # of the environments together
CHECKPOINT_EVERY = 7  # iterations
EVALUATION_EPISODES = 100
EVALUATION_DETERMINISTIC = True
EVALUATION_MAX_STEPS = 27000  # an episode that takes more is cut
EVALUATION_NUM_ENVS = 4  # at most

GAMMA = 0.9  # γ, the discount factor
LAMBDA = 0.95  # λ of GAE: 0 for the TD error, 1 for the return
CLIP_RANGE = 0.2  # ε
VALUE_COEFFICIENT = 0.5

LEARNING_RATE = 0.001
ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-5
MAX_GRAD_NORM = 0.5

OBSERVATION_SPACE = (  # of the environment this is compiled for
    "Box",
    (3,),
    "float32",
    (-1.0, -1.0, -8.0),
    (1.0, 1.0, 8.0),
)
ACTION_SPACE = ("Box", (1,), "float32", -2.0, 2.0)
OBSERVATION_SIZE = 3  # O
ACTION_SIZE = 1  # A
NORMALIZE_CLIP = 10.0  # in standard deviations
ACTION_LOW = -2.0  # actions are clipped on their way out
ACTION_HIGH = 2.0

# All parameters live in one flat vector [P], in this order.
SHAPES = {
    "actor.0.weight": (64, 3),
    "actor.0.bias": (64,),
    "actor.1.weight": (64, 64),
    "actor.1.bias": (64,),
    "actor.2.weight": (1, 64),
    "actor.2.bias": (1,),
    "log_std": (1,),
    "critic.0.weight": (64, 3),
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
            "actor.0.weight": runtime.orthogonal(64, 3, gain=2**0.5, generator=generator),
            "actor.0.bias": torch.zeros(64),
            "actor.1.weight": runtime.orthogonal(64, 64, gain=2**0.5, generator=generator),
            "actor.1.bias": torch.zeros(64),
            "actor.2.weight": runtime.orthogonal(1, 64, gain=0.01, generator=generator),
            "actor.2.bias": torch.zeros(1),
            "log_std": torch.full((1,), 0.0),
            "critic.0.weight": runtime.orthogonal(64, 3, gain=2**0.5, generator=generator),
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


def act(p: dict[str, Tensor], observations: Tensor, noise: Tensor) -> Tensor:
    """Actions [..., A] for normal noise [..., A]; zero noise gives the mode."""
    return actor(p, observations) + p["log_std"].exp() * noise


def draw_noise(generator: torch.Generator, steps: int, num_envs: int) -> Tensor:
    """The noise `act` needs for some time steps, [steps, num_envs, A], where the generator is."""
    shape = (steps, num_envs, ACTION_SIZE)
    return torch.randn(shape, generator=generator, device=generator.device)


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


def update(learner: TrainState, batch: Batch, indices: Tensor) -> tuple[TrainState, Tensor]:
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
    params = learner.params - LEARNING_RATE * m_hat / (v_hat.sqrt() + ADAM_EPSILON)
    metrics = torch.cat([metrics, grad_norm.unsqueeze(0)])
    return TrainState(params, m, v, step), metrics


# ── Rollout, on the device ────────────────────────────────────────────────────────────────────────


class Rollout(NamedTuple):
    """T steps of N environments, time first."""

    observations: Tensor  # [T, N, O], as the environment gave them
    actions: Tensor  # [T, N, A], before clipping to the bounds
    rewards: Tensor  # [T, N], as the environment gave them
    terminated: Tensor  # [T, N], bool: the task ended
    truncated: Tensor  # [T, N], bool: the time limit came
    next_observations: Tensor  # [T, N, O], true successors, also where an episode ended


class Draws(NamedTuple):
    """All that is random in T steps of N environments."""

    noise: Tensor  # [T, N, A], for `act`
    starts: Tensor  # [T, N, S], uniform in [0, 1): the state after an episode's end


def draw(generator: torch.Generator, length: int = ROLLOUT_LENGTH) -> Draws:
    """The draws of a rollout, at once."""
    shape = (length, NUM_ENVS, tensor_envs.ENVIRONMENTS[ENV_ID].state_size)
    starts = torch.rand(shape, generator=generator, device=generator.device)
    return Draws(draw_noise(generator, length, NUM_ENVS), starts)


def new_episodes(generator: torch.Generator) -> tensor_envs.State:
    """Environments at the start of an episode each."""
    dynamics = tensor_envs.ENVIRONMENTS[ENV_ID]
    shape = (NUM_ENVS, dynamics.state_size)
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    return tensor_envs.start(dynamics, uniform)


def normalize(observations: Tensor, scaling: tensor_statistics.Scaling) -> Tensor:
    """Observations [..., O] as the networks see them."""
    return tensor_statistics.standardize(observations, scaling, NORMALIZE_CLIP)


def collect(
    params: Tensor,
    state: tensor_envs.State,
    scaling: tensor_statistics.Scaling,
    draws: Draws,
) -> tuple[tensor_envs.State, Rollout]:
    """A rollout from `state`, and the state it ends in, for as many time steps as there are draws.

    A pure function of tensors that waits for none of them, so that it can be compiled. Only actions
    are computed here: the policy does not change during a rollout, so `make_batch` evaluates values
    and log-probabilities for all of it at once.
    """
    dynamics = tensor_envs.ENVIRONMENTS[ENV_ID]
    p = runtime.unflatten(params, SHAPES)
    observations = dynamics.observe(state.inner)
    steps = []
    for noise, starts in zip(draws.noise.unbind(), draws.starts.unbind(), strict=True):
        actions = act(p, normalize(observations, scaling), noise)
        taken = actions.clamp(ACTION_LOW, ACTION_HIGH)
        state, step = tensor_envs.step(dynamics, state, taken, starts, dynamics.max_episode_steps)
        steps.append(Rollout(observations, actions, *step[1:]))
        observations = step.observations
    return state, Rollout(*(torch.stack(parts) for parts in zip(*steps, strict=True)))


def collect_in_chunks(
    chunk: Callable[..., tuple[tensor_envs.State, Rollout]],
    params: Tensor,
    state: tensor_envs.State,
    scaling: tensor_statistics.Scaling,
    draws: Draws,
) -> tuple[tensor_envs.State, Rollout]:
    """`collect` by calls of `chunk`, a compiled form of it, of CHUNK time steps each."""
    chunks = []
    for some in zip(*(x.split(CHUNK) for x in draws), strict=True):
        state, rollout = chunk(params, state, scaling, Draws(*some))
        chunks.append(rollout)
    return state, Rollout(*(torch.cat(parts) for parts in zip(*chunks, strict=True)))


def make_envs(num_envs: int) -> runtime.VectorEnv:
    """Environments to evaluate in: those that `collect` computes, as their authors wrote them."""
    return runtime.make_envs(
        ENV_ID, num_envs, backend="gymnasium", spaces=(OBSERVATION_SPACE, ACTION_SPACE)
    )


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
        advantages=advantages.flatten(),
        returns=(advantages + values).flatten(),
    )


# ── Training ──────────────────────────────────────────────────────────────────────────────────────


def update_epochs(
    update_step: Callable[..., tuple[Tensor, ...]],
    learner: TrainState,
    batch: Batch,
    permutations: Tensor,
) -> tuple[TrainState, Tensor]:
    """Epochs of minibatches through `update_step`, which is `update` or a compiled form of it.

    `permutations`, [EPOCHS, B], are of the batch, one an epoch. Returns the learner after all,
    and the mean of METRICS.
    """
    totals = torch.zeros(len(METRICS), device=permutations.device)
    for permutation in permutations:
        for indices in permutation.split(MINIBATCH_SIZE):
            learner, metrics = update_step(learner, batch, indices)
            totals += metrics
    return learner, totals / (permutations.numel() // MINIBATCH_SIZE)


def draw_permutations(generator: torch.Generator, size: int = BATCH_SIZE) -> Tensor:
    """A permutation of a batch for each epoch, [EPOCHS, size], on the generator's device."""
    device = generator.device
    permutations = [torch.randperm(size, generator=generator, device=device) for _ in range(EPOCHS)]
    return torch.stack(permutations)


def policy(
    p: dict[str, Tensor],
    scaling: tensor_statistics.Scaling,
    generator: torch.Generator | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """From observations [N, O] to actions to take: a sample with a `generator`, else the mode.

    For evaluations, on the CPU.
    """

    def choose(observations: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(observations)
        noise = torch.zeros(1) if generator is None else draw_noise(generator, 1, len(inputs))[0]
        actions = act(p, normalize(inputs, scaling), noise)
        return actions.clamp(ACTION_LOW, ACTION_HIGH).numpy()

    return choose


def load_policy(
    checkpoint: runtime.Checkpoint, rng: np.random.Generator | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The `policy` of a checkpoint, with the observation statistics it was trained with."""
    generator = None
    if rng is not None:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    p = runtime.unflatten(runtime.flatten(checkpoint["parameters"], SHAPES), SHAPES)
    scaling = tensor_statistics.Moments(**checkpoint["observations"]).scaling()
    return policy(p, scaling, generator)


def train(run: runtime.Run) -> None:
    """Alternate rollouts and updates, from the start or from the checkpoint the run resumes.

    An iteration is on the device; the host first waits for it in the log.
    """
    torch.set_num_threads(1)  # for networks this small, handing work to a second thread costs more
    episodes = tensor_statistics.no_episodes(NUM_ENVS)
    learner = initial_learner(SEED)
    moments = tensor_statistics.no_moments(OBSERVATION_SIZE)
    reward_scale = tensor_statistics.no_reward_scale(NUM_ENVS)
    state = None
    if run.checkpoint is not None:
        params = runtime.flatten(run.checkpoint["parameters"], SHAPES)
        learner = TrainState(params, **run.checkpoint["optimizer"])
        episodes = tensor_statistics.load_episodes(run.checkpoint["episodes"])
        moments = tensor_statistics.Moments(**run.checkpoint["observations"])
        reward_scale = tensor_statistics.RewardScale(**run.checkpoint["rewards"])
        state = runtime.move(tensor_envs.State(**run.checkpoint["environments"]), run.device)
    learner, episodes = (runtime.move(x, run.device) for x in (learner, episodes))
    moments = runtime.move(moments, run.device)
    reward_scale = runtime.move(reward_scale, run.device)
    generator = torch.Generator(run.device)
    chunk = run.compile(collect, required=True)
    update_step = run.log_updates(run.compile(update, required=True))
    run.owns(
        parameters=lambda: runtime.unflatten(learner.params, SHAPES),
        optimizer=lambda: {"m": learner.m, "v": learner.v, "step": learner.step},
        episodes=lambda: episodes.state(),
        observations=lambda: moments._asdict(),
        rewards=lambda: reward_scale._asdict(),
        environments=lambda: state._asdict(),
    )

    for iteration in run.iterations(NUM_ITERATIONS, BATCH_SIZE, TOTAL_STEPS):
        generator.manual_seed(runtime.derive_seed(SEED, iteration))
        if state is None:
            state = new_episodes(generator)
            episodes = episodes.without_partial()
            reward_scale = reward_scale.without_partial()

        length = min(ROLLOUT_LENGTH, (TOTAL_STEPS - iteration * BATCH_SIZE) // NUM_ENVS)
        state, rollout = collect_in_chunks(
            chunk, learner.params, state, moments.scaling(), draw(generator, length)
        )
        ended = rollout.terminated | rollout.truncated
        episodes = episodes.extend(rollout.rewards, ended)
        reward_scale, rewards = reward_scale.scale(rollout.rewards, ended, GAMMA, NORMALIZE_CLIP)
        samples = rollout._replace(
            observations=normalize(rollout.observations, moments.scaling()),
            next_observations=normalize(rollout.next_observations, moments.scaling()),
            rewards=rewards,
        )
        batch = make_batch(learner.params, *samples)
        permutations = draw_permutations(generator, len(batch.advantages))
        rows = runtime.padded(batch, BATCH_SIZE)  # the one shape that the update is compiled for
        learner, metrics = update_epochs(update_step, learner, rows, permutations)
        moments = moments.merge(rollout.observations)  # not before: a rollout sees one policy

        steps = min((iteration + 1) * BATCH_SIZE, TOTAL_STEPS)
        mean_return, mean_length = episodes.means()
        run.log(
            steps,
            {
                "episode_return": mean_return,
                "episode_length": mean_length,
                **dict(zip(METRICS, metrics.tolist(), strict=True)),
                "explained_variance": float(1 - batch.advantages.var() / batch.returns.var()),
                "actions_at_bound": runtime.share_at_bound(
                    rollout.actions, ACTION_LOW, ACTION_HIGH
                ),
            },
        )
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
        low=ACTION_LOW,
        high=ACTION_HIGH,
    ),
    rollouts=runtime.Rollouts(
        num_envs=NUM_ENVS,
        length=ROLLOUT_LENGTH,
        batch_size=BATCH_SIZE,
        collect=collect,
        normalizes=True,
        draw_noise=draw_noise,
        draw=draw,
        new_episodes=new_episodes,
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
