"""The generated loss and update, against Stable-Baselines3's PPO and torch's Adam."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3 import A2C, PPO

from peers import Spaces, fill_buffer, flat_parameters, set_parameters
from ppoc.runtime.learning.compiled import compile_step

B = 96


def sb3_model(module, **options):
    """Stable-Baselines3's PPO at the module's hyper-parameters, one minibatch of B samples."""
    inputs = module.SHAPES["actor.0.weight"][1]
    outputs = module.SHAPES["actor.2.weight"][0]
    actions = Box(-1, 1, (outputs,)) if "log_std" in module.SHAPES else Discrete(outputs)
    settings = {
        "n_steps": B,
        "batch_size": B,
        "n_epochs": 1,
        "gamma": module.GAMMA,
        "gae_lambda": module.LAMBDA,
        "clip_range": module.CLIP_RANGE,
        "vf_coef": module.VALUE_COEFFICIENT,
        "ent_coef": getattr(module, "ENTROPY_COEFFICIENT", 0.0),
        "device": "cpu",
    }
    env = Spaces(Box(-np.inf, np.inf, (inputs,)), actions)
    return PPO("MlpPolicy", env, **{**settings, **options})


def random_batch(module, seed, dtype=torch.float64):
    """A batch in which some ratios are clipped on either side, and its parameters."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    inputs = module.SHAPES["actor.0.weight"][1]
    outputs = module.SHAPES["actor.2.weight"][0]
    params = 0.3 * normal(sum(int(np.prod(shape)) for shape in module.SHAPES.values()))
    p = module.runtime.unflatten(params, module.SHAPES)
    observations = normal(B, inputs)
    output = module.actor(p, observations)
    if "log_std" in module.SHAPES:
        actions = output + normal(B, outputs) * p["log_std"].exp()
        log_probs = module.log_prob(output, p["log_std"], actions)
    else:
        actions = torch.randint(outputs, (B,), generator=generator)
        log_probs = module.log_prob(output, actions)
    columns = {
        "observations": observations,
        "actions": actions,
        "log_probs": log_probs + 0.3 * normal(B),
        "values": normal(B),
        "advantages": normal(B),
        "returns": normal(B),
    }
    return params, module.Batch(*(columns[name] for name in module.Batch._fields))


PLAIN = ("losses.value.clip=null", "losses.policy.schedule=constant")
MODULES = {
    "gaussian": ("ppo/halfcheetah", *PLAIN, "losses.entropy.beta=0.02"),
    "categorical": ("ppo/cartpole", *PLAIN, "losses.entropy.beta=0.02"),
    "no-entropy": ("ppo/halfcheetah", *PLAIN),
    "raw-advantages": ("ppo/cartpole", *PLAIN, "advantage.normalize=false"),
}


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("seed", range(3))
def test_gradient_equals_stable_baselines3(module_of, kind, seed):
    """One step of SGD at rate 1 moves Stable-Baselines3's parameters by its gradient."""
    module = module_of(*MODULES[kind])
    params, batch = random_batch(module, seed, torch.float32)
    gradient, _ = torch.func.grad_and_value(module.loss, has_aux=True)(params, batch)
    model = sb3_model(
        module, max_grad_norm=1e9, normalize_advantage=kind != "raw-advantages", learning_rate=1.0
    )
    set_parameters(model, module, params)
    model.policy.optimizer = torch.optim.SGD(model.policy.parameters(), lr=1.0)
    fill_buffer(model, batch)
    model.train()
    expected = params - flat_parameters(model, module)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_loss_value_equals_stable_baselines3(module_of, kind):
    module = module_of(*MODULES[kind])
    params, batch = random_batch(module, 0, torch.float32)
    total, metrics = module.loss(params, batch)
    model = sb3_model(module, max_grad_norm=1e9)
    set_parameters(model, module, params)
    fill_buffer(model, batch)
    model.train()
    logged = model.logger.name_to_value
    named = dict(zip(module.METRICS, metrics.tolist(), strict=False))
    assert total.item() == pytest.approx(logged["train/loss"], abs=1e-6)
    assert named["policy_loss"] == pytest.approx(logged["train/policy_gradient_loss"], abs=1e-6)
    assert named["value_loss"] == pytest.approx(logged["train/value_loss"], abs=1e-6)
    assert named["entropy"] == pytest.approx(-logged["train/entropy_loss"], abs=1e-6)
    assert named["approx_kl"] == pytest.approx(logged["train/approx_kl"], abs=1e-6)
    assert named["clip_fraction"] == pytest.approx(logged["train/clip_fraction"], abs=1e-6)
    assert 0.1 < named["clip_fraction"] < 0.9


def test_update_steps_as_stable_baselines3_does(module_of):
    """Ten updates of clipped gradients through Adam stay with Stable-Baselines3's."""
    module = module_of(*MODULES["gaussian"], "optimizer.actor.schedule=constant")
    params, batch = random_batch(module, 1, torch.float32)
    model = sb3_model(
        module, max_grad_norm=module.MAX_GRAD_NORM, learning_rate=module.LEARNING_RATE
    )
    set_parameters(model, module, params)
    fill_buffer(model, batch)
    zeros = torch.zeros_like(params)
    learner = module.TrainState(params, zeros, zeros, torch.zeros((), dtype=torch.float64))
    for _ in range(10):
        model.train()
        learner, _ = module.update(learner, batch, torch.arange(B))
    torch.testing.assert_close(learner.params, flat_parameters(model, module), rtol=0, atol=2e-6)
    assert (learner.params - params).abs().max() > 1e-3


A2CS = {
    "gaussian": ("a2c/cartpole", "env.id=HalfCheetah-v5", "losses.entropy.beta=0.02"),
    "categorical": ("a2c/cartpole", "losses.entropy.beta=0.02"),
    "normalised": ("a2c/cartpole", "advantage.normalize=true"),
}


@pytest.mark.parametrize("kind", A2CS)
@pytest.mark.parametrize("seed", range(3))
def test_a2c_steps_as_stable_baselines3_does(module_of, kind, seed):
    """Loss and ten updates of clipped gradients through Adam, on a shared batch."""
    module = module_of(*A2CS[kind])
    params, batch = random_batch(module, seed, torch.float32)
    inputs = module.SHAPES["actor.0.weight"][1]
    outputs = module.SHAPES["actor.2.weight"][0]
    actions = Box(-1, 1, (outputs,)) if kind == "gaussian" else Discrete(outputs)
    model = A2C(
        "MlpPolicy",
        Spaces(Box(-np.inf, np.inf, (inputs,)), actions),
        n_steps=B,
        learning_rate=module.LEARNING_RATE,
        use_rms_prop=False,
        vf_coef=module.VALUE_COEFFICIENT,
        ent_coef=getattr(module, "ENTROPY_COEFFICIENT", 0.0),
        max_grad_norm=module.MAX_GRAD_NORM,
        normalize_advantage=kind == "normalised",
        device="cpu",
    )
    set_parameters(model, module, params)
    fill_buffer(model, batch)
    zeros = torch.zeros_like(params)
    learner = module.TrainState(params, zeros, zeros, torch.zeros((), dtype=torch.float64))
    for _ in range(10):
        model.train()
        learner, metrics = module.update(learner, batch, torch.arange(B))
        named = dict(zip(module.METRICS, metrics.tolist(), strict=True))
        logged = model.logger.name_to_value
        assert named["policy_loss"] == pytest.approx(logged["train/policy_loss"], abs=2e-5)
        assert named["value_loss"] == pytest.approx(logged["train/value_loss"], abs=2e-5)
        assert named["entropy"] == pytest.approx(-logged["train/entropy_loss"], abs=1e-5)
    torch.testing.assert_close(learner.params, flat_parameters(model, module), rtol=0, atol=5e-6)
    assert (learner.params - params).abs().max() > 5e-3


def test_a_value_objective_of_ones_own_is_torchs_huber_loss(module_of):
    huber = "min(abs(V - R), d) * (abs(V - R) - min(abs(V - R), d) / 2)"
    own = f"losses.value={{objective: '{huber}', parameters: {{d: 0.7}}, clip: null}}"
    module = module_of("ppo/halfcheetah", own)
    params, batch = random_batch(module, 8)
    values = module.critic(module.runtime.unflatten(params, module.SHAPES), batch.observations)
    expected = torch.nn.functional.huber_loss(values, batch.returns, delta=0.7)
    found = module.loss(params, batch)[1][module.METRICS.index("value_loss")]
    torch.testing.assert_close(found, expected)


def test_value_clipping_is_the_larger_of_both_errors(module_of):
    """As in OpenAI baselines ppo2: mean(max((V − R)², (clip(V, V_old ± c) − R)²))."""
    module = module_of("ppo/halfcheetah", "losses.value.clip=0.2")
    params, batch = random_batch(module, 2)
    p = module.runtime.unflatten(params, module.SHAPES)
    values = module.critic(p, batch.observations).numpy()
    old, returns = batch.values.numpy(), batch.returns.numpy()
    near = np.clip(values, old - 0.2, old + 0.2)
    expected = np.maximum((values - returns) ** 2, (near - returns) ** 2).mean()
    assert module.loss(params, batch)[1][1].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["ppo/halfcheetah", "ppo/cartpole"])
def test_loss_gradient_is_that_of_finite_differences(module_of, name):
    overrides = ("losses.policy.schedule=constant", "losses.entropy.beta=0.01")
    module = module_of(name, *overrides)
    params, batch = random_batch(module, 3)
    gradient = torch.func.grad(lambda x: module.loss(x, batch)[0])(params)
    direction = torch.randn(params.shape, generator=torch.Generator().manual_seed(0)).double()
    direction /= direction.norm()
    step = 1e-6
    ahead, behind = (module.loss(params + s * direction, batch)[0] for s in (step, -step))
    slope = (ahead - behind) / (2 * step)
    assert slope.item() == pytest.approx((gradient @ direction).item(), rel=1e-5, abs=1e-8)


def test_actor_and_critic_learn_at_their_own_rates(module_of):
    rates = ("optimizer.actor.lr=1e-30", "optimizer.critic.lr=1e-3")
    module = module_of("ppo/halfcheetah", *rates, "losses.policy.schedule=constant")
    params, batch = random_batch(module, 4, torch.float32)
    zeros = torch.zeros_like(params)
    learner = module.TrainState(params, zeros, zeros, torch.zeros((), dtype=torch.float64))
    learning_rate = torch.full_like(params, module.ACTOR_LEARNING_RATE)
    learning_rate[module.ACTOR_SIZE :] = module.CRITIC_LEARNING_RATE
    after, _ = module.update(learner, batch, torch.arange(B), learning_rate)
    old, new = (module.runtime.unflatten(x, module.SHAPES) for x in (params, after.params))
    moved = {name for name in old if not torch.equal(old[name], new[name])}
    assert moved == {name for name in old if name.startswith("critic.")}


def test_target_kl_stops_learning_without_waiting_for_the_device(module_of):
    module = module_of("ppo/cartpole", "losses.policy.schedule=constant", "update.target_kl=0.001")
    params, batch = random_batch(module, 5, torch.float32)
    zeros = torch.zeros_like(params)
    learner = module.TrainState(params, zeros, zeros, torch.zeros((), dtype=torch.float64))
    rate = torch.tensor(1e-3)
    active = torch.tensor(True)
    after, active, metrics = module.update(learner, batch, torch.arange(B), active, rate)
    assert metrics[module.METRICS.index("approx_kl")] > 0.0015
    assert not active
    assert all(torch.equal(a, b) for a, b in zip(after, learner, strict=True))


@pytest.mark.parametrize("name", ["ppo/halfcheetah", "ppo/cartpole"])
def test_update_waits_for_no_device(module_of, name):
    """On the meta device no tensor has values: reading one, or mixing devices, raises."""
    module = module_of(name)
    params, batch = random_batch(module, 6, torch.float32)
    meta = torch.device("meta")
    learner = module.TrainState(*(x.to(meta) for x in module.initial_learner(1)))
    batch = module.Batch(*(column.to(meta) for column in batch))
    indices = torch.zeros((2, B), dtype=torch.int64, device=meta)
    scheduled = ["learning_rate"] + (["clip_range"] if name == "ppo/cartpole" else [])
    extra = [torch.zeros((), device=meta) for _ in scheduled]
    after, metrics = module.update_epochs(module.update, learner, batch, indices, *extra)
    assert after.params.shape == params.shape
    assert metrics.device == meta


@pytest.mark.parametrize("target_kl", [pytest.param("null", marks=pytest.mark.slow), "1.0"])
def test_compiled_update_equals_eager(module_of, target_kl):
    module = module_of("ppo/halfcheetah", f"update.target_kl={target_kl}")
    params, batch = random_batch(module, 7, torch.float32)
    zeros = torch.zeros_like(params)
    learner = module.TrainState(params, zeros, zeros, torch.zeros((), dtype=torch.float64))
    compiled = compile_step(module.update, print)
    eager_learner, compiled_learner = learner, learner
    rest = [torch.tensor(3e-4)]
    if target_kl != "null":
        rest = [torch.tensor(True), *rest]
    for start in range(0, 80, 16):
        indices = torch.arange(start, start + 16)
        eager_learner, *_, eager = module.update(eager_learner, batch, indices, *rest)
        compiled_learner, *active, fused = compiled(compiled_learner, batch, indices, *rest)
        assert all(flag.dtype == torch.bool for flag in active)
        torch.testing.assert_close(fused, eager, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(compiled_learner.params, eager_learner.params, rtol=0, atol=1e-5)
