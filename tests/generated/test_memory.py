"""Memories, against torch.nn.LSTM and torch.nn.GRU, and against acting step by step."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ppoc.runtime.evaluation.evaluate import RecurrentPolicy, evaluate

T, N = 12, 4
NO_CRITIC = ("networks.critic=null", "advantage.estimator=reward-to-go", "update.sampling=episodes")
UPDATE = "update={rollout_steps: 48, minibatch_size: 24, epochs: 2, sequence_length: 6}"
SHORT = (
    "env={num_envs: 4, backend: gymnasium}",
    UPDATE,
    "training.total_steps=384",
    "losses.policy.schedule=constant",
    "optimizer.actor.schedule=constant",
)
LSTM = "networks.actor={memory: {kind: lstm, size: 5}, layers: [6]}"
GRU = "networks.actor={memory: {kind: gru, size: 5}, layers: [6]}"
OWN = "networks.critic={memory: {kind: gru, size: 3}, layers: [6]}"
KINDS = {
    "shared": (LSTM, "networks.critic={share: actor}"),
    "shared-body": (GRU, "networks.critic={share: body, layers: [7]}"),
    "two": (LSTM, OWN),
    "critic-without": (LSTM, "networks.critic={memory: null, layers: [6]}"),
    "no-critic": (GRU, *NO_CRITIC),
}


def memory_module(module_of, kind, *more):
    return module_of("ppo/cartpole", *SHORT, *KINDS[kind], *more)


def drawn(module, seed):
    generator = torch.Generator().manual_seed(seed)
    size = module.initial_parameters(0).shape
    return 0.6 * torch.randn(size, generator=generator, dtype=torch.float64)


def rollout(module, seed, steps=T):
    """Random observations [T, N, O], and starts and ends [T, N] with some episodes within."""
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(steps, N, 4, generator=generator, dtype=torch.float64)
    ended = torch.rand(steps, N, generator=generator) < 0.25
    starts = torch.cat([torch.rand(1, N, generator=generator) < 0.5, ended[:-1]])
    state = torch.randn(N, module.STATE_SIZE, generator=generator, dtype=torch.float64)
    return observations, starts, ended, state


def peer(p, name, kind):
    """torch's own layer with the module's weights."""
    hidden = p[f"{name}.hidden.weight"].shape[1]
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](4, hidden).double()
    state = {
        "weight_ih_l0": p[f"{name}.input.weight"],
        "bias_ih_l0": p[f"{name}.input.bias"],
        "weight_hh_l0": p[f"{name}.hidden.weight"],
        "bias_hh_l0": p[f"{name}.hidden.bias"],
    }
    layer.load_state_dict(state)
    return layer


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("no-critic", [("actor.memory", "gru", 5)]),
        ("critic-without", [("actor.memory", "lstm", 5)]),
        ("two", [("actor.memory", "lstm", 5), ("critic.memory", "gru", 3)]),
        ("shared-body", [("body.memory", "gru", 5)]),
    ],
)
def test_a_memory_is_torchs_and_empty_where_an_episode_begins(module_of, kind, cells):
    """Episode by episode, each in a call of its own."""
    module = memory_module(module_of, kind)
    p = module.runtime.unflatten(drawn(module, 0), module.SHAPES)
    observations, starts, _, state = rollout(module, 1)
    features, states = module.body(p, observations, starts, state)
    used = 0
    for at, (name, cell, size) in zip(np.cumsum([0, 5]), cells, strict=False):
        layer = peer(p, name, cell)
        width = size * (2 if cell == "lstm" else 1)
        for n in range(N):
            begins = [0, *(t for t in range(1, T) if starts[t, n]), T]
            for begin, end in pairwise(begins):
                old = state[n : n + 1, used : used + width] * ~starts[begin, n]
                # Contiguous: torch's layers write into no view.
                parts = [x.unsqueeze(0).contiguous() for x in old.split(size, -1)]
                given = (parts[0], parts[1]) if cell == "lstm" else parts[0]
                output, last = layer(observations[begin:end, n : n + 1], given)
                found = features[begin:end, n, at : at + size]
                torch.testing.assert_close(found, output[:, 0])
                last = torch.cat(last, -1) if cell == "lstm" else last
                torch.testing.assert_close(
                    states[end - 1, n, used : used + width], last.reshape(-1)
                )
        used += width
    if kind == "critic-without":
        torch.testing.assert_close(features[..., 5:], observations)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_what_acting_step_by_step_gave(module_of, kind):
    """States, values, log-probabilities, and the ratios of 1 that they mean for the loss."""
    module = memory_module(module_of, kind)
    params = drawn(module, 2)
    p = module.runtime.unflatten(params, module.SHAPES)
    observations, starts, ended, state = rollout(module, 3)
    next_observations = torch.cat([observations[1:], observations[:1] + 1])
    next_observations[ended] += 0.5
    terminated = ended & (torch.arange(N) % 2 == 0)
    truncated = ended & ~terminated
    rewards = torch.randn(T, N, dtype=torch.float64)
    actions, states, values, following, log_probs = [], [], [], [], []
    now = state
    for t in range(T):
        action, after = module.act(
            p, observations[t].numpy(), np.zeros(1, np.float32), starts[t].numpy(), now
        )
        features, same = module.body(p, observations[t][None], starts[t][None], now)
        torch.testing.assert_close(same[0], after)
        chosen = torch.as_tensor(action)
        log_probs.append(module.log_prob(module.actor(p, features[0]), chosen))
        if kind != "no-critic":
            values.append(module.critic(p, features[0]))
            never = torch.zeros(1, N, dtype=torch.bool)
            ahead, _ = module.body(p, next_observations[t][None], never, after)
            following.append(module.critic(p, ahead[0]))
        actions.append(chosen)
        states.append(now)
        now = after
    batch = module.make_batch(
        params,
        observations,
        torch.stack(actions),
        rewards,
        terminated,
        truncated,
        next_observations,
        starts,
        state,
    )
    L = module.SEQUENCE_LENGTH
    assert batch.observations.shape == (T * N // L, L, 4)
    for index in range(T * N // L):
        n, t = index // (T // L), index % (T // L) * L
        torch.testing.assert_close(batch.state[index], states[t][n])
        expected = torch.stack([log_probs[t + k][n] for k in range(L)])
        torch.testing.assert_close(batch.log_probs[index], expected)
        torch.testing.assert_close(batch.observations[index], observations[t : t + L, n])
    if kind != "no-critic":
        pair = torch.stack(values), torch.stack(following)
        advantages = module.gae(rewards, *pair, terminated, truncated)
        torch.testing.assert_close(batch.advantages, module.sequences(advantages))
        torch.testing.assert_close(batch.returns, module.sequences(advantages + pair[0]))
    _, metrics = module.loss(params, batch)
    named = dict(zip(module.METRICS, metrics.tolist(), strict=False))
    assert named["approx_kl"] == pytest.approx(0, abs=1e-12)
    if "clip_fraction" in named:
        assert named["clip_fraction"] == 0


def test_the_gradient_of_a_sequence_is_that_of_the_unrolled_layer(module_of):
    """Truncated at the stretch's beginning, and not before."""
    module = memory_module(module_of, "two")
    params = drawn(module, 4)
    observations, starts, _, state = rollout(module, 5)

    def total(x):
        p = module.runtime.unflatten(x, module.SHAPES)
        return module.critic(p, module.body(p, observations, starts, state)[0]).sum()

    gradient = torch.func.grad(total)(params)
    direction = torch.randn(params.shape, dtype=torch.float64)
    slope = (total(params + 1e-6 * direction) - total(params - 1e-6 * direction)) / 2e-6
    assert slope.item() == pytest.approx((gradient @ direction).item(), rel=1e-5)


def test_a_critics_own_memory_learns_at_the_critics_rate(module_of):
    module = memory_module(module_of, "two", "optimizer.critic.lr=2e-3")
    names = [*module.SHAPES]
    sizes = [int(np.prod(shape)) for shape in module.SHAPES.values()]
    assert {n for n, at in zip(names, np.cumsum(sizes), strict=True) if at > module.ACTOR_SIZE} == {
        n for n in names if n.startswith("critic.")
    }


def test_evaluation_forgets_where_an_episode_ends(module_of):
    """Each episode is that of a policy which has seen no other."""
    module = memory_module(module_of, "shared")
    params = drawn(module, 6).float()
    p = module.runtime.unflatten(params, module.SHAPES)
    told, episodes = [], []
    policy = module.policy(p)
    assert isinstance(policy, RecurrentPolicy)

    def watched(observations, starts, state):
        told.append(starts.copy())
        actions, after = inner(observations, starts, state)
        alone = module.policy(p)
        for n in range(len(observations)):
            episodes[n] = [] if starts[n] else episodes[n]
            episodes[n].append(observations[n])
        for observation in episodes[0]:
            expected = alone(observation[None])
        assert expected[0] == actions[0]
        return actions, after

    inner, policy._act = policy._act, watched
    episodes = [[], []]
    envs = module.make_envs(2)
    _, lengths, _ = evaluate(policy, envs, 4, seed=0)
    envs.close()
    assert told[0].all()
    assert sum(starts.sum() for starts in told) >= 4
    assert lengths.min() >= 5
