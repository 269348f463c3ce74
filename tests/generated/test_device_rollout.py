"""Rollouts on the device: those through NumPy, without a wait for the host, compiled or not."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ppoc.runtime.envs.tensor_envs import make
from ppoc.runtime.learning import tensor_statistics
from ppoc.runtime.learning.compiled import compile_step
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.trained import evaluate_run

ON_DEVICE = "training={device: cuda, compile: never}"
SPECS = {
    "categorical": ("ppo/cartpole", "env.num_envs=4"),
    "gaussian": (
        "ppo/pendulum",
        "env={num_envs: 4, max_episode_steps: 13, normalize: {observations: true, rewards: true}}",
        "networks.critic={share: actor}",
    ),
    "acrobot": ("ppo/acrobot", "env={num_envs: 4, max_episode_steps: 20}"),
}
STEPS = 40


def start(module, seed=0):
    """Parameters that act at random, a state, a scaling where there is one, and draws."""
    generator = torch.Generator().manual_seed(seed)
    size = module.initial_parameters(1).shape
    params = module.initial_parameters(1) + 0.3 * torch.randn(size, generator=generator)
    state = module.new_episodes(generator)
    draws = module.draw(generator)
    draws = module.Draws(*(torch.cat([x] * (1 + STEPS // len(x)))[:STEPS] for x in draws))
    if not hasattr(module, "normalize"):
        return params, state, draws
    inputs = next(iter(module.SHAPES.values()))[1]
    observations = torch.randn(200, inputs, generator=generator) * (1 + torch.arange(inputs))
    moments = tensor_statistics.no_moments(inputs).merge(observations)
    return params, state, moments.scaling(), draws


@pytest.mark.parametrize("kind", SPECS)
def test_a_rollout_is_the_one_through_numpy(module_of, kind):
    spec = SPECS[kind]
    ours = module_of(*spec, ON_DEVICE)
    host = module_of(*spec, "env.backend=torch", "training.compile=never")
    assert not hasattr(host, "new_episodes")
    params, state, *scaling, draws = start(ours)
    after, rollout = ours.collect(params, state, *scaling, draws)

    limit = {"max_episode_steps": host.MAX_EPISODE_STEPS} if kind != "categorical" else {}
    envs = make(host.ENV_ID, host.NUM_ENVS, **limit)
    envs._state = state
    starts = iter(draws.starts)
    step, envs._begin = envs.step, lambda where: None

    def step_with_draws(actions):
        envs._next = next(starts)
        return step(actions)

    envs.step = step_with_draws
    observations = envs.dynamics.observe(state.inner).numpy()
    w = host.runtime.as_arrays(params, host.SHAPES)
    normalize = []
    if scaling:
        (mean, inverse_std) = scaling[0]
        normalize = [host.new_normalizer()]
        normalize[0].load({"mean": mean, "var": inverse_std.double() ** -2 - 1e-8, "count": 9})
    expected, last = host.collect(envs, w, *normalize, observations, draws.noise.numpy())
    assert rollout._fields == expected._fields
    assert (expected.terminated | expected.truncated).any()
    for name, found in rollout._asdict().items():
        np.testing.assert_allclose(found, getattr(expected, name), atol=2e-3, err_msg=name)
    np.testing.assert_allclose(envs.dynamics.observe(after.inner), last, atol=2e-3)


@pytest.mark.parametrize("kind", ["categorical", pytest.param("gaussian", marks=pytest.mark.slow)])
def test_chunks_that_are_compiled_give_the_same(module_of, kind):
    module = module_of(*SPECS[kind], "env.backend=torch", "training.compile=always")
    arguments = start(module)
    expected_state, expected = module.collect(*arguments)
    chunk = compile_step(module.collect, lambda text: None)
    state, found = module.collect_in_chunks(chunk, *arguments)
    assert type(found) is module.Rollout
    torch.testing.assert_close(tuple(found), tuple(expected), atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(tuple(state), tuple(expected_state), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
def test_dynamo_takes_a_rollout_whole(module_of, kind):
    """A CUDA device's rollout is recorded from one graph, without a break."""
    module = module_of(*SPECS[kind], ON_DEVICE)
    *arguments, draws = start(module)
    few = module.Draws(*(x[:3] for x in draws))
    whole = torch.compile(module.collect, fullgraph=True, dynamic=False, backend="aot_eager")
    _, found = whole(*arguments, few)
    _, expected = module.collect(*arguments, few)
    torch.testing.assert_close(tuple(found), tuple(expected))


class Logged(Exception):  # noqa: N818 - not an error
    """An iteration came to its log."""


@pytest.mark.parametrize(
    "spec",
    [
        *((*spec, "update={rollout_steps: 64, minibatch_size: 16}") for spec in SPECS.values()),
        ("reinforce/cartpole", "env.normalize={observations: true, rewards: true}"),
        ("trpo/cartpole",),
        ("q-actor-critic/cartpole",),
    ],
)
def test_an_iteration_waits_for_no_device(module_of, spec, monkeypatch):
    """On the meta device no tensor has values: reading one, or mixing devices, raises."""
    module = module_of(*spec, ON_DEVICE)
    meta = torch.device("meta")
    generator = SimpleNamespace(device=meta, manual_seed=lambda seed: None)

    def on_meta(function):
        real = torch.Generator()

        def call(_, *arguments):
            result = function(real, *arguments)
            if isinstance(result, torch.Tensor):
                return result.to(meta)
            return type(result)(*(x.to(meta) for x in result))

        return call

    for name in ("new_episodes", "draw", "draw_permutations"):
        monkeypatch.setattr(module, name, on_meta(getattr(module, name)))
    make = {"Generator": lambda *device: generator if device == (meta,) else torch.Generator()}
    monkeypatch.setattr(module, "torch", SimpleNamespace(**{**vars(torch), **make}))

    def means(self):
        assert all(tensor.device == meta for tensor in self)
        raise Logged

    monkeypatch.setattr(tensor_statistics.Episodes, "means", means)
    run = SimpleNamespace(
        checkpoint=None,
        device=meta,
        compile=lambda function: function,
        log_updates=lambda function: function,
        owns=lambda **groups: None,
        iterations=lambda count, *steps: range(1),
    )
    with pytest.raises(Logged):
        module.train(run)


def test_checkpoints_hold_what_those_of_the_host_hold(module_of, tmp_path):
    name, env, _ = SPECS["gaussian"]
    spec = (name, env, "training.total_steps=256", "update={rollout_steps: 64, minibatch_size: 16}")
    found = []
    for kind in (ON_DEVICE, "training.compile=never"):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        execute(module_of(*spec, kind, "evaluation.episodes=1"), folder, device="cpu", mode="quiet")
        tensors, _ = checkpoints.load(checkpoints.latest(folder / "checkpoints"))
        found.append({name: (x.dtype, x.shape) for name, x in tensors.items()})
    inner, elapsed = (found[0].pop(f"environments.{name}") for name in ("inner", "elapsed"))
    assert inner[1][0] == elapsed[1][0]
    replayed = {name for name in found[1] if name.startswith("replay.")}
    assert replayed
    assert found[0] == {name: kept for name, kept in found[1].items() if name not in replayed}
    # And one form's checkpoint is the other's policy.
    host = module_of(*spec, "training.compile=never", "evaluation.episodes=1")
    ours = module_of(*spec, ON_DEVICE, "evaluation.episodes=1")
    results = [evaluate_run(module, tmp_path / "0", episodes=3) for module in (host, ours)]
    assert results[0].mean == pytest.approx(results[1].mean, rel=1e-3)
    sampled = [
        evaluate_run(ours, tmp_path / "0", episodes=3, deterministic=False, seed=seed)
        for seed in (3, 3, 4)
    ]
    assert sampled[0] == sampled[1] != sampled[2]


def test_draws_are_permutations(module_of):
    module = module_of(*SPECS["categorical"], ON_DEVICE)
    permutations = module.draw_permutations(torch.Generator().manual_seed(2))
    assert permutations.shape == (module.EPOCHS, module.BATCH_SIZE)
    assert torch.equal(permutations.sort().values[0], torch.arange(module.BATCH_SIZE))
    assert not torch.equal(permutations[0], permutations[1])


def test_noise_is_gumbel_or_normal(module_of):
    from scipy import stats

    for kind, law in (("categorical", stats.gumbel_r), ("gaussian", stats.norm)):
        module = module_of(*SPECS[kind], ON_DEVICE)
        noise = module.draw_noise(torch.Generator().manual_seed(0), 5000, 2)
        assert noise.dtype == torch.float32
        assert stats.kstest(noise.flatten().numpy(), law.cdf).pvalue > 1e-3
