"""Values that the loop of `train` hands from part to part, and logs, from all calls of a run."""

import csv
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ppoc.runtime.learning.normalize import RewardNormalizer
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.run import Run

SHORT = (
    "training={total_steps: 512, checkpoint_every: 256}",
    "update={rollout_steps: 128, minibatch_size: 16, epochs: 2}",
)
PENDULUM = ("ppo/pendulum", "env={num_envs: 4, max_episode_steps: 19}")
ON_DEVICE = ("training={device: cuda, compile: never}",)
STOPS = "update={target_kl: 2e-5, epochs: 1}"  # within the only epoch of some iterations
PLAIN = "env.normalize={observations: false, rewards: false}"
BOTH = "env.normalize={observations: true, rewards: true, clip: 1.5}"


def train(module_of, tmp_path, monkeypatch, *spec):
    """A module, the rows that a short run of it logs, and the calls of each of its parts."""
    module = module_of(spec[0], *SHORT, *spec[1:], "evaluation.episodes=1")
    calls = {}

    def record(name, function):
        def called(*arguments):
            result = function(*arguments)
            calls.setdefault(name, []).append((arguments, result))
            return result

        return called

    for name in ("collect", "make_batch", "update_epochs", "update"):
        monkeypatch.setattr(module, name, record(name, getattr(module, name)))
    execute(module, tmp_path, device="cpu", mode="quiet")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == 4
    return module, rows, calls


def rollouts(calls):
    """The rollouts of `collect`, which returns them first on the host and last on the device."""
    for _, results in calls["collect"]:
        found = next(x for x in results if hasattr(x, "rewards"))
        yield type(found)(*map(torch.as_tensor, found))


@pytest.mark.parametrize(
    "spec",
    [
        (*PENDULUM, PLAIN),
        (*PENDULUM, PLAIN, *ON_DEVICE),
        ("ppo/cartpole", STOPS),
        ("ppo/cartpole", STOPS, *ON_DEVICE),
        ("ppo/cartpole", "training.on_divergence=continue"),
        ("ppo/cartpole", STOPS, "training.on_divergence=continue"),
        ("q-actor-critic/cartpole",),
        ("q-actor-critic/cartpole", *ON_DEVICE),
    ],
)
def test_what_is_logged_is_of_the_iteration(module_of, tmp_path, monkeypatch, spec):
    module, rows, calls = train(module_of, tmp_path, monkeypatch, *spec)
    updates = iter([metrics for _, (*_, metrics) in calls["update"]])
    ends = [row["episode_return"] for row in rows]
    finished, stopped, running = [], [], torch.zeros(module.NUM_ENVS)
    for i, (row, rollout) in enumerate(zip(rows, rollouts(calls), strict=True)):
        learner, batch = calls["update_epochs"][i][0][1:3]
        p = module.runtime.unflatten(learner.params, module.SHAPES)
        of_action = (batch.actions,) if spec[0].startswith("q") else ()
        errors = batch.returns - module.critic(p, batch.observations, *of_action)
        explained = 1 - errors.var() / batch.returns.var()
        assert row["explained_variance"] == pytest.approx(explained.item(), rel=1e-3, abs=1e-4)
        assert row["largest_reward"] == pytest.approx(rollout.rewards.abs().max().item())
        of_iteration = torch.stack(list(itertools.islice(updates, 8 * module.EPOCHS)))
        if hasattr(module, "TARGET_KL"):  # what comes after the stop counts for nothing
            of_iteration = of_iteration[(of_iteration != 0).any(1)]
            stopped.append(len(of_iteration) < 8)
        mean = dict(zip(module.METRICS, of_iteration.mean(0).tolist(), strict=True))
        assert {name: row[name] for name in mean} == pytest.approx(mean, rel=1e-4, abs=1e-6)
        for rewards, ended in zip(
            rollout.rewards, rollout.terminated | rollout.truncated, strict=True
        ):
            running = running + rewards
            finished += running[ended].tolist()
            running = running * ~ended
        expected = np.mean(finished[-100:]) if finished else np.nan
        assert ends[i] == pytest.approx(expected, rel=1e-4, nan_ok=True)
    assert any(stopped) is hasattr(module, "TARGET_KL")
    assert next(updates, None) is None


@pytest.mark.parametrize("on_device", [False, True])
def test_a_rollout_is_scaled_by_what_was_seen_before_it(
    module_of, tmp_path, monkeypatch, on_device
):
    """Observations; and rewards by what was seen up to its end."""
    spec = (*PENDULUM, BOTH, *(ON_DEVICE if on_device else ()))
    module, _, calls = train(module_of, tmp_path, monkeypatch, *spec)
    rewards = RewardNormalizer(module.NUM_ENVS, module.GAMMA, clip=1.5)
    seen = []
    for rollout, (given, _) in zip(rollouts(calls), calls["make_batch"], strict=True):
        mean, var = (np.mean(seen, 0), np.var(seen, 0)) if seen else (0.0, 1.0)
        named = dict(zip(rollout._fields, given[1:], strict=False))
        for name in ("observations", "next_observations"):
            expected = np.clip((getattr(rollout, name) - mean) / np.sqrt(var + 1e-8), -1.5, 1.5)
            np.testing.assert_allclose(named[name], expected, atol=1e-4, err_msg=name)
        ended = rollout.terminated | rollout.truncated
        expected = rewards(rollout.rewards.numpy(), ended.numpy())
        np.testing.assert_allclose(named["rewards"], expected, rtol=1e-4)
        seen += list(rollout.observations.reshape(-1, 3).numpy())


@pytest.mark.parametrize("on_device", [False, True])
def test_steps_are_those_taken_also_in_a_shorter_last_iteration(module_of, tmp_path, on_device):
    spec = ("ppo/cartpole", *(ON_DEVICE if on_device else ()), *SHORT, "evaluation.episodes=1")
    module = module_of(*spec, "training.total_steps=448", "env.num_envs=8")
    assert execute(module, tmp_path, device="cpu", mode="quiet").steps == 448
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [128, 256, 384, 448]


@pytest.mark.parametrize("on_device", [False, True])
def test_evaluations_have_seeds_and_episodes_of_their_own(
    module_of, tmp_path, monkeypatch, on_device
):
    """Each plays episodes that neither training nor another evaluation has."""
    found = []

    def evaluated(run, steps, make_envs, policy, episodes, seed):
        found.append((steps, episodes, seed))

    monkeypatch.setattr(Run, "evaluate", evaluated)
    spec = ("ppo/cartpole", *(ON_DEVICE if on_device else ()), "evaluation.every=256", *SHORT)
    module = module_of(*spec, "evaluation.episodes=3")
    execute(module, tmp_path, device="cpu", mode="quiet")
    assert found[:2] == [(256, 3, module.SEED + 2), (512, 3, module.SEED + 4)]


class Made(Exception):  # noqa: N818 - not an error
    """Environments were asked for."""


@pytest.mark.parametrize("backend", ["gymnasium", "envpool"])
def test_lives_end_episodes_in_training_only(module_of, monkeypatch, backend):
    module = module_of("ppo/pong", f"env.backend={backend}")
    asked = []

    def make(*arguments, **options):
        asked.append(options)
        raise Made

    monkeypatch.setattr(module.runtime, "make_envs", make)
    run = SimpleNamespace(opened=lambda envs: envs)
    for train in (lambda: module.train(run), lambda: module.make_envs(2)):
        with pytest.raises(Made):
            train()
    training, evaluation = asked
    if backend == "envpool":
        assert training["options"].pop("episodic_life") is True
        assert evaluation["options"].pop("episodic_life") is False
    else:
        training["wrappers"].remove(next(x for x in training["wrappers"] if "Life" in x[0]))
    assert training == evaluation
