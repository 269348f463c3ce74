"""Symptoms in real runs: what was made sick on purpose is found by its cause, what is well is not.

`pytest -m slow tests/runtime/test_sick_runs.py -s` tries every setting with three seeds; its counts
are in docs/diagnose.md.
"""

import contextlib

import pytest

from ppoc.runtime.diagnosis import diagnose
from ppoc.runtime.divergence import DivergenceError
from ppoc.runtime.run import Run

TOO_LARGE = ("kl-explosion", "high-kl", "clip-saturated")

# Of each setting, what is wrong with it, and what may be named as its cause.
SICK = {
    "lr 1.0": (("optimizer.actor.lr=1.0",), TOO_LARGE),
    "lr 0.1": (("optimizer.actor.lr=0.1",), TOO_LARGE),
    "ε 5": (("losses.policy.epsilon=5",), TOO_LARGE),
    "value coefficient 0": (("losses.value.coefficient=0",), ("useless-critic",)),
    "γ 0": (("advantage.gamma=0",), ("short-horizon",)),
    "entropy β 10": (("losses.entropy.beta=10",), ("entropy-too-high",)),
    "rewards × 10⁴": (
        ("env.wrappers=[{'toys:ScaledReward': {scale: 1e4}}]",),
        ("large-rewards",),
    ),
}
QUICK = ("lr 1.0", "ε 5", "value coefficient 0")
HEALTHY = (
    "ppo/cartpole",
    "ppo/acrobot",
    "ppo/pendulum",
    "ppo-lecture/cartpole",
    "ppo-kl-adaptive/cartpole",
    "a2c/cartpole",
    "trpo/cartpole",
    "reinforce-baseline/cartpole",
)
EAGER = "training.compile=never"
SHORT = ("training.total_steps=12_800", EAGER)
LONGER = ("training.total_steps=25_600", EAGER)


class Begun(Run):
    """A run of which only so many steps are made."""

    def __init__(self, folder, steps, **options):
        super().__init__(folder, **options)
        self.most = steps

    def iterations(self, count, steps_each):
        for iteration in super().iterations(count, steps_each):
            yield iteration
            if self.steps >= self.most:
                return


def symptoms(module, folder, steps=100_000):
    """What is wrong with the first steps of a run of a module, likely causes first."""
    folder.mkdir()
    with (
        contextlib.suppress(DivergenceError),
        Begun(folder, steps, device="cpu", mode="quiet", module=module) as run,
    ):
        module.train(run)
    return [finding.symptom for finding in diagnose(folder).findings]


@pytest.mark.parametrize("name", QUICK)
def test_a_sick_run_is_found_by_its_cause(module_of, tmp_path, name):
    overrides, causes = SICK[name]
    assert symptoms(module_of("ppo/cartpole", *SHORT, *overrides), tmp_path / "run")[0] in causes


def test_a_healthy_run_is_not_found_sick(module_of, tmp_path):
    assert symptoms(module_of("ppo/cartpole", EAGER), tmp_path / "run", 12_800) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SICK)
def test_every_sick_setting_is_found_with_every_seed(module_of, tmp_path, name):
    overrides, causes = SICK[name]
    for seed in (1, 2, 3):
        module = module_of("ppo/cartpole", *LONGER, f"training.seed={seed}", *overrides)
        found = symptoms(module, tmp_path / str(seed))
        print(f"\n{name}, seed {seed}: {', '.join(found)}")
        assert found, seed
        assert found[0] in causes, seed


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_no_healthy_spec_is_found_sick_with_any_seed(module_of, tmp_path, name):
    for seed in (1, 2, 3):
        module = module_of(name, EAGER, f"training.seed={seed}")
        found = symptoms(module, tmp_path / str(seed))
        print(f"\n{name}, seed {seed}: {', '.join(found) or 'nothing'}")
        assert found == [], seed
