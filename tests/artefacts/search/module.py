"""cartpole-cem: the cross-entropy method on CartPole-v1, written by ppoc 0.1.0.

Read it from top to bottom: configuration, networks, search, rollout, training. `python module.py`
trains it; spec.lock.yaml says where each value comes from.

Shapes: T = 8 time steps a rollout, N = 16 environments, B = T·N = 128 samples, O = 4 observation
components, A = 2 actions, P = 10 parameters.

[CEM]  Szita and Lőrincz 2006, Learning Tetris using the noisy cross-entropy method, Neural
       Computation 18(12)
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc import runtime

# ── Configuration ─────────────────────────────────────────────────────────────────────────────────

NAME = "cartpole-cem"
ENV_ID = "CartPole-v1"
SEED = 1
DEVICE = "auto"

NUM_ENVS = 16  # N, candidates of a generation
ELITES = 3
ROLLOUT_LENGTH = 8  # T, steps of each candidate
BATCH_SIZE = 128  # B = T·N
NUM_ITERATIONS = 4  # 512 environment steps
STD_INIT = 0.5  # of each parameter
NOISE = 0.2  # deviation added at a refit, falling linearly to 0
CHECKPOINT_EVERY = 2  # iterations
EVALUATE_EVERY = 1  # iterations
EVALUATION_EPISODES = 4
EVALUATION_DETERMINISTIC = True


# All parameters live in one flat vector [P], in this order.
SHAPES = {
    "actor.0.weight": (2, 4),
    "actor.0.bias": (2,),
}


# ── Networks ──────────────────────────────────────────────────────────────────────────────────────


def initial_parameters(seed: int) -> Tensor:
    """The parameters training starts from, [P]."""
    generator = torch.Generator().manual_seed(seed)
    return runtime.flatten(
        {
            "actor.0.weight": runtime.orthogonal(2, 4, gain=0.01, generator=generator),
            "actor.0.bias": torch.zeros(2),
        },
        SHAPES,
    )


def affine(w: dict[str, np.ndarray], name: str, inputs: np.ndarray) -> np.ndarray:
    """A layer's outputs, [N, F], for inputs, [N, I]; each row may have a weight of its own."""
    return (w[f"{name}.weight"] @ inputs[..., None])[..., 0] + w[f"{name}.bias"]


def act(w: dict[str, np.ndarray], observations: np.ndarray) -> np.ndarray:
    """Actions [N], int64, for observations [N, O].

    Of one policy, or of N, one a row, where each of `w` has an axis N first.
    """
    return np.argmax(affine(w, "actor.0", observations), axis=-1)


# ── Search ────────────────────────────────────────────────────────────────────────────────────────


class Search(NamedTuple):
    """A Gaussian over parameters."""

    mean: Tensor  # [P]
    std: Tensor  # [P]


def initial_search(seed: int) -> Search:
    """What the first candidates are drawn from."""
    mean = initial_parameters(seed)
    return Search(mean, torch.full_like(mean, STD_INIT))


def draw_candidates(search: Search, rng: np.random.Generator) -> Tensor:
    """A generation, [N, P]."""
    noise = rng.standard_normal((NUM_ENVS, len(search.mean)), dtype=np.float32)
    return search.mean + search.std * torch.as_tensor(noise)


def scores(rewards: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """Mean return [N] of each candidate's whole episodes, from rewards and ends [T, N].

    Where none ended, it is the return so far.
    """
    whole = ended[::-1].cumsum(axis=0)[::-1] > 0
    counted = whole | ~ended.any(axis=0)
    return (rewards * counted).sum(axis=0) / np.maximum(ended.sum(axis=0), 1)


def refit(candidates: Tensor, score: np.ndarray, noise: float) -> Search:
    """The Gaussian of the best ELITES of candidates [N, P], widened by `noise` ([CEM])."""
    elites = candidates[torch.as_tensor(np.argsort(-score)[:ELITES])]
    return Search(elites.mean(0), (elites.var(0, correction=0) + noise**2).sqrt())


# ── Rollout ───────────────────────────────────────────────────────────────────────────────────────


class Rollout(NamedTuple):
    """T steps of N candidates, time first."""

    observations: np.ndarray  # [T, N, O], as the environment gave them
    rewards: np.ndarray  # [T, N]
    ended: np.ndarray  # [T, N], bool: the task ended, or the time limit came


def make_envs(num_envs: int) -> runtime.VectorEnv:
    """Environments that reset themselves within the step that ends an episode."""
    return runtime.make_envs(ENV_ID, num_envs, backend="gymnasium")


def collect(
    envs: runtime.VectorEnv,
    w: dict[str, np.ndarray],
    observations: np.ndarray,
) -> Rollout:
    """A rollout from `observations`, [N, O]; each environment is played by its own candidate."""
    rollout = Rollout(
        observations=np.empty((ROLLOUT_LENGTH, *observations.shape), np.float32),
        rewards=np.empty((ROLLOUT_LENGTH, NUM_ENVS), np.float32),
        ended=np.empty((ROLLOUT_LENGTH, NUM_ENVS), np.bool_),
    )
    for t in range(ROLLOUT_LENGTH):
        actions = act(w, observations)
        step = envs.step(actions)
        rollout.observations[t] = observations
        rollout.rewards[t] = step.rewards
        rollout.ended[t] = step.terminated | step.truncated
        observations = step.observations
    return rollout


# ── Training ──────────────────────────────────────────────────────────────────────────────────────


def policy(mean: Tensor) -> Callable[[np.ndarray], np.ndarray]:
    """From observations [N, O] to the actions of the mean [P] of a search."""
    w = runtime.as_arrays(mean, SHAPES)
    return lambda observations: act(w, observations)


def load_policy(
    checkpoint: runtime.Checkpoint, rng: np.random.Generator | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The `policy` of a checkpoint; with `rng`, that of one candidate drawn from its search."""
    mean, std = (runtime.flatten(checkpoint[name], SHAPES) for name in ("parameters", "std"))
    if rng is not None:
        mean = mean + std * torch.as_tensor(rng.standard_normal(len(mean), dtype=np.float32))
    return policy(mean)


def train(run: runtime.Run) -> None:
    """Alternate generations and refits, from the start or from the checkpoint the run resumes."""
    envs = make_envs(NUM_ENVS)
    episodes = runtime.EpisodeTracker(NUM_ENVS)
    search = initial_search(SEED)
    if run.checkpoint is not None:
        mean, std = (runtime.flatten(run.checkpoint[x], SHAPES) for x in ("parameters", "std"))
        search = Search(mean, std)
        episodes.load(run.checkpoint["episodes"])

    for iteration in run.iterations(NUM_ITERATIONS, BATCH_SIZE):
        rng = np.random.default_rng((SEED, iteration))
        candidates = draw_candidates(search, rng)
        observations = envs.reset(runtime.derive_seed(SEED, iteration))
        episodes.discard_partial()
        w = runtime.as_arrays(candidates, SHAPES)
        rollout = collect(envs, w, observations)
        episodes.extend(rollout.rewards, rollout.ended)

        score = scores(rollout.rewards, rollout.ended)
        search = refit(candidates, score, NOISE * (1 - (iteration + 1) / NUM_ITERATIONS))

        steps = (iteration + 1) * BATCH_SIZE
        run.log(
            steps,
            {
                "episode_return": episodes.mean_return,
                "episode_length": episodes.mean_length,
                "mean_score": float(score.mean()),
                "elite_score": float(np.sort(score)[-ELITES:].mean()),
                "best_score": float(score.max()),
                "mean_std": search.std.mean().item(),
            },
        )
        if (iteration + 1) % EVALUATE_EVERY == 0:
            chosen = policy(search.mean)
            run.evaluate(steps, make_envs, chosen, EVALUATION_EPISODES, SEED + 1 + iteration)
        if run.checkpoint_due(iteration, CHECKPOINT_EVERY):
            run.save(
                steps,
                parameters=runtime.unflatten(search.mean, SHAPES),
                std=runtime.unflatten(search.std, SHAPES),
                episodes=episodes.state(),
            )
    envs.close()


if __name__ == "__main__":
    runtime.main(sys.modules[__name__])
