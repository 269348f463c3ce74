"""The cross-entropy method: scores and refits by hand, and candidates that act for themselves."""

import csv

import numpy as np
import pytest
import torch

from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.run import Run

GAUSSIAN = ("cem/cartpole", "env.id=Pendulum-v1", "networks.actor.layers=[8, 8]")


def test_scores_are_mean_returns_of_whole_episodes(module_of):
    """Three candidates: two episodes and a rest; one that ends with the rollout; none that ends."""
    module = module_of("cem/cartpole")
    rewards = np.array([[1.0, 2, 3], [10, 2, 3], [5, 2, 3], [100, 2, 3]])
    ended = np.zeros((4, 3), bool)
    ended[[1, 2], 0] = True
    ended[3, 1] = True
    np.testing.assert_allclose(module.scores(rewards, ended), [(11 + 5) / 2, 8, 12])


def test_a_refit_is_to_the_best(module_of):
    module = module_of("cem/cartpole", "optimizer.cross_entropy.elite_fraction=0.1")
    assert module.ELITES == 4
    generator = np.random.default_rng(0)
    candidates = generator.standard_normal((40, 10)).astype(np.float32)
    score = generator.standard_normal(40)
    search = module.refit(torch.as_tensor(candidates), score, noise=0.5)
    best = candidates[sorted(range(40), key=lambda i: score[i])[-4:]]
    np.testing.assert_allclose(search.mean, best.mean(0), rtol=1e-5)
    np.testing.assert_allclose(search.std, np.sqrt(best.var(0) + 0.25), rtol=1e-5)


def test_candidates_have_the_mean_and_deviation_of_the_search(module_of):
    module = module_of("cem/cartpole", "env.num_envs=20_000", "update.rollout_steps=20_000")
    search = module.Search(torch.arange(10.0), torch.linspace(0.1, 1, 10))
    candidates = module.draw_candidates(search, np.random.default_rng(0))
    np.testing.assert_allclose(candidates.mean(0), search.mean, atol=0.03)
    np.testing.assert_allclose(candidates.std(0), search.std, rtol=0.03)


@pytest.mark.parametrize("spec", [("cem/cartpole",), GAUSSIAN])
def test_every_row_is_played_by_its_own_candidate(module_of, spec):
    """The stacked policies against each of them alone, and alone against torch."""
    module = module_of(*spec)
    rng = np.random.default_rng(0)
    search = module.initial_search(1)
    candidates = module.draw_candidates(search, rng)
    inputs = next(iter(module.SHAPES.values()))[1]
    observations = rng.standard_normal((len(candidates), inputs)).astype(np.float32)
    together = module.act(module.runtime.as_arrays(candidates, module.SHAPES), observations)
    for row, (candidate, observation) in enumerate(zip(candidates, observations, strict=True)):
        p = module.runtime.unflatten(candidate, module.SHAPES)
        hidden = torch.as_tensor(observation)
        layers = len(p) // 2
        for layer in range(layers):
            hidden = p[f"actor.{layer}.weight"] @ hidden + p[f"actor.{layer}.bias"]
            hidden = hidden.tanh() if layer < layers - 1 else hidden
        alone = module.act(module.runtime.as_arrays(candidate, module.SHAPES), observation[None])
        if spec == GAUSSIAN:
            np.testing.assert_allclose(together[row], hidden, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(alone[0], hidden, rtol=1e-4, atol=1e-5)
        else:
            assert together[row] == alone[0] == hidden.argmax()


def test_a_rollout_is_what_the_environments_gave(module_of):
    sizes = ("env.num_envs=4", "update.rollout_steps=200")
    module = module_of("cem/cartpole", *sizes, "optimizer.cross_entropy.elite_fraction=0.5")
    envs, steps = module.make_envs(4), []

    class Watched:
        def step(self, actions):
            steps.append(envs.step(actions))
            return steps[-1]

    candidates = module.draw_candidates(module.initial_search(1), np.random.default_rng(0))
    first = envs.reset(1)
    rollout = module.collect(Watched(), module.runtime.as_arrays(candidates, module.SHAPES), first)
    seen = [first, *(step.observations for step in steps[:-1])]
    np.testing.assert_array_equal(rollout.observations, seen)
    np.testing.assert_array_equal(rollout.rewards, [step.rewards for step in steps])
    ended = [step.terminated | step.truncated for step in steps]
    np.testing.assert_array_equal(rollout.ended, ended)
    assert rollout.ended.any()


def test_a_generation_starts_new_episodes_with_less_noise(module_of, tmp_path, monkeypatch):
    """An episode that did not end is in no mean return, and the noise falls to 0 with the last."""
    sizes = ("env.num_envs=4", "update.rollout_steps=200", "training.total_steps=1000")
    rest = ("evaluation={every: 400, episodes: 1}", "optimizer.cross_entropy.elite_fraction=0.5")
    module = module_of("cem/cartpole", *sizes, *rest)
    noises, finished, expected, seeds = [], [], [], []
    refit, evaluate = module.refit, Run.evaluate

    def refitted(candidates, score, noise):
        noises.append(noise)
        return refit(candidates, score, noise)

    def collected(*arguments, collect=module.collect):
        rollout = collect(*arguments)
        total = np.zeros(4)
        for rewards, ended in zip(rollout.rewards, rollout.ended, strict=True):
            total += rewards
            finished.extend(total[ended])
            total[ended] = 0
        expected.append(np.mean(finished[-100:]))
        return rollout

    def evaluated(run, steps, make_envs, policy, episodes, seed):
        seeds.append((steps, seed))
        return evaluate(run, steps, make_envs, policy, episodes, seed)

    monkeypatch.setattr(module, "refit", refitted)
    monkeypatch.setattr(module, "collect", collected)
    monkeypatch.setattr(Run, "evaluate", evaluated)
    execute(module, tmp_path, mode="quiet")
    assert noises == pytest.approx([module.NOISE * (1 - n / 5) for n in range(1, 6)])
    found = list(csv.DictReader((tmp_path / "metrics.csv").open(newline="")))
    assert [float(row["episode_return"]) for row in found] == pytest.approx(expected)
    assert seeds == [(400, module.SEED + 2), (800, module.SEED + 4)]


def test_it_solves_cartpole(module_of, tmp_path):
    result = execute(module_of("cem/cartpole"), tmp_path, mode="quiet")
    assert result.evaluation.mean >= 475
