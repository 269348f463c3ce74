"""Gaussian actions in units of their bounds: exact, and the same wherever a policy acts."""

import math

import numpy as np
import pytest
import torch
from torch import distributions

from ppoc.compiler.agent.action_units import ill_fitting_bounds, units_of_bounds
from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.exporting.policy import load
from ppoc.runtime.diagnosis import diagnose
from ppoc.runtime.learning.bounds import share_at_bound
from ppoc.runtime.run.launch import execute
from toys import Valve

TOY = (
    "env={id: ToyValve-v0, backend: gymnasium, num_envs: 4}",
    "networks={actor: {layers: [6]}, critic: {layers: [6]}}",
    "update={rollout_steps: 64, minibatch_size: 32, epochs: 2}",
    "training={total_steps: 256, compile: never}",
    "evaluation.episodes=4",
)
LOW, HIGH = Valve.action_space.low, Valve.action_space.high


def of_bounds(low, high):
    return EnvFacts("", "gymnasium", (3,), "continuous", len(low), (), tuple(low), tuple(high))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ([-1.0], [1.0]),
        ([-0.4] * 3, [0.4] * 3),
        ([-3.0], [3.0]),
        ([-2.0], [1.0]),
        ([-1.0, -np.inf], [0.8, np.inf]),
        ([0.0], [np.inf]),
        ([-3.4e38], [3.4e38]),
    ],
)
def test_bounds_near_one_and_none_at_all_change_nothing(low, high):
    assert ill_fitting_bounds(of_bounds(low, high)) is None


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1000.0), (0.0, 1.0), (-500.0, 500.0), (-0.01, 0.01), (5.0, 6.0)]
)
def test_other_bounds_are_scaled_by(low, high):
    facts = of_bounds([-1.0, low], [1.0, high])
    assert ill_fitting_bounds(facts) == (low, high)
    center, scale = units_of_bounds(facts)
    assert (center[0] - scale[0], center[0] + scale[0]) == (-1, 1)
    assert (center[1] - scale[1], center[1] + scale[1]) == pytest.approx((low, high))


def rollout_of(module, noise=None):
    envs = module.make_envs(4)
    Valve.taken.clear()
    p = module.runtime.unflatten(module.initial_parameters(3), module.SHAPES)
    w = {name: tensor.numpy() for name, tensor in p.items()}
    noise = module.draw_noise(np.random.default_rng(0), 16, 4) if noise is None else noise
    rollout, _ = module.collect(envs, w, envs.reset(0), noise)
    return p, rollout, np.array(Valve.taken).reshape(16, 4, 3)


def test_what_is_taken_has_the_density_of_torchs_transformed_distribution(module_of):
    module = module_of("ppo/cartpole", *TOY, "networks.actor.log_std_init=-2")
    p, rollout, taken = rollout_of(module)
    observations, actions = (torch.as_tensor(x) for x in rollout[:2])
    center, scale = torch.tensor(module.ACTION_CENTER), torch.tensor(module.ACTION_SCALE)
    assert center.tolist() == [500, -2, 0]
    assert scale.tolist() == [500, 1, 1]
    inner = distributions.Normal(module.actor(p, observations), p["log_std"].exp())
    outer = distributions.TransformedDistribution(
        distributions.Independent(inner, 1), [distributions.AffineTransform(center, scale, 1)]
    )
    inside = (actions[..., :2].abs() < 1).all(-1)  # what the bounds did not clip
    assert inside.float().mean() > 0.9
    density = module.log_prob(module.actor(p, observations), p["log_std"], actions)
    jacobian = scale.log().sum()
    found = outer.log_prob(torch.as_tensor(taken))
    torch.testing.assert_close((density - jacobian)[inside], found[inside], atol=1e-3, rtol=1e-4)
    entropy = module.entropy(p["log_std"]) + jacobian
    expected = (distributions.Normal(0.0, p["log_std"].exp() * scale).entropy()).sum()
    torch.testing.assert_close(entropy, expected)


VARIANTS = {
    "independent": (),
    "state-dependent": ("networks.actor.std=state-dependent",),
    "gsde": ("networks.actor.std=gsde",),
    "normalised": ("env.normalize={observations: true, rewards: true}",),
    "memory": ("networks.actor.memory={kind: gru, size: 4}",),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_rollouts_evaluations_and_exports_act_the_same(module_of, name, tmp_path):
    module = module_of("ppo/cartpole", *TOY, *VARIANTS[name])
    taken = module.scale(np.float32([[-9, 9, 9], [-1, 0.5, 0.1], [0, 0, 0]]))
    np.testing.assert_allclose(taken, [[0, -1, 9], [0, -1.5, 0.1], [500, -2, 0]], rtol=1e-6)
    result = execute(module, tmp_path, device="cpu", mode="quiet")
    assert result.evaluation.mean / 8 > -0.3  # its head starts near 0, the middle of the bounds
    policy, example, (expected, *_) = load(module, tmp_path)  # which compares the two
    assert 300 < expected[:, 0].mean() < 900
    outputs = policy(*example.inputs)
    actions = outputs[0] if isinstance(outputs, tuple) else outputs
    np.testing.assert_allclose(actions.numpy(), expected, rtol=1e-4)


def test_a_search_scales_too(module_of, tmp_path):
    head = (TOY[0].replace("4}", "16}"), "networks={actor: {layers: [6]}}")
    module = module_of(
        "cem/cartpole", *head, "update.rollout_steps=128", "training.total_steps=128"
    )
    Valve.taken.clear()
    execute(module, tmp_path, device="cpu", mode="quiet")
    assert 300 < np.array(Valve.taken)[:, 0].mean() < 700


def test_scaling_on_the_device_is_that_on_the_host(module_of):
    of = ("ppo/pendulum", "networks.actor.action_scaling=bounds")
    device = module_of(*of, "training={device: cuda, compile: never}")
    host = module_of(*of, "env.backend=gymnasium", "training={device: cpu, compile: never}")
    assert [hasattr(module, "new_episodes") for module in (device, host)] == [True, False]
    raw = torch.randn(50, 1)
    np.testing.assert_allclose(device.scale(raw).numpy(), host.scale(raw.numpy()), rtol=1e-6)
    params = device.initial_parameters(0)
    generator = torch.Generator().manual_seed(0)
    state, draws = device.new_episodes(generator), device.draw(generator)
    scaled = device.collect(params, state, draws)[1]
    torques = (2 * scaled.actions[..., 0]).clamp(-2, 2)
    theta, speed = state.inner.unbind(-1)
    expected = -((theta.remainder(2 * math.pi).add(math.pi).remainder(2 * math.pi) - math.pi) ** 2)
    expected = expected - 0.1 * speed**2 - 0.001 * torques[0] ** 2
    torch.testing.assert_close(scaled.rewards[0], expected, rtol=1e-3, atol=1e-3)


def test_a_valve_is_learnt_that_unscaled_stays_at_its_bound(module_of, tmp_path):
    means = {}
    for scaling in ("auto", "none"):
        module = module_of(
            "ppo/cartpole",
            *TOY[:2],
            f"networks.actor.action_scaling={scaling}",
            "update={rollout_steps: 512, minibatch_size: 64, epochs: 4}",
            "training={total_steps: 8192, compile: never}",
            "optimizer.actor.lr=3e-3",
        )
        (tmp_path / scaling).mkdir()
        result = execute(module, tmp_path / scaling, device="cpu", mode="quiet")
        means[scaling] = result.evaluation.mean / 8  # a step's reward
        found = [d.symptom for d in diagnose(tmp_path / scaling).findings]
        assert ("stuck-at-bound" in found) == (scaling == "none")
    assert means["none"] < -0.65
    assert means["auto"] > -0.1


def test_the_share_at_a_bound_is_of_the_worst_component():
    actions = np.float32([[[0.0, 3.0], [0.009, 5.0]], [[0.5, 7.0], [2.0, 7.0]]])
    assert share_at_bound(actions, 0.0, (1.0, np.inf)) == 0.5
    assert share_at_bound(torch.as_tensor(actions), (-9.0, 7.0), (9.0, 8.0)) == 1.0
    assert share_at_bound(actions, -np.inf, np.inf) == 0
