"""Symptoms in real runs: what was made sick on purpose is found by its cause, what is well is not.

`pytest -m slow tests/runtime/test_sick_runs.py -s` tries every setting with three seeds; its counts
are in docs/diagnose.md.
"""

import contextlib

import pytest

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.diagnosis import diagnose
from ppoc.runtime.health.divergence import DivergenceError
from ppoc.runtime.run.launch import load_module
from ppoc.runtime.run.run import Run
from zoo import ZOO

TOO_LARGE = ("kl-explosion", "high-kl", "clip-saturated")

# The possible causes to name for each setting, and what of the spec is to be changed first.
SICK = {
    "lr 1.0": (("optimizer.actor.lr=1.0",), TOO_LARGE, "optimizer.actor.lr"),
    # The first updates may make the policy certain, and then nothing moves it any more.
    "lr 0.1": (
        ("optimizer.actor.lr=0.1",),
        (*TOO_LARGE, "entropy-collapse"),
        "optimizer.actor.lr",
    ),
    # With this rate, the clip range of the spec keeps the KL divergence below 0.1.
    "ε 5, lr 0.01": (
        ("losses.policy.epsilon=5", "optimizer.actor.lr=0.01"),
        (*TOO_LARGE, "entropy-collapse"),
        "losses.policy.epsilon",
    ),
    "value coefficient 0": (
        ("losses.value.coefficient=0",),
        ("useless-critic",),
        "losses.value.coefficient",
    ),
    "γ 0": (("advantage.gamma=0",), ("short-horizon",), "advantage.gamma"),
    "entropy β 10": (("losses.entropy.beta=10",), ("entropy-too-high",), "losses.entropy.beta"),
    "rewards × 10⁴": (
        ("env.wrappers=[{'toys:ScaledReward': {scale: 1e4}}]",),
        ("large-rewards",),
        "env.normalize.rewards",
    ),
}
QUICK = ("lr 1.0", "ε 5, lr 0.01", "value coefficient 0")
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
SHORT = "training.total_steps=10_240"
LONGER = "training.total_steps=25_600"


class Begun(Run):
    """A run of which only so many steps are made."""

    def __init__(self, folder, steps, **options):
        super().__init__(folder, **options)
        self.most = steps

    def iterations(self, count, *steps):
        for iteration in super().iterations(count, *steps):
            yield iteration
            if self.steps >= self.most:
                return


def findings(folder, spec, *overrides, steps=100_000):
    """The findings in the first steps of a run, likely causes first."""
    compile_spec(resolve(ZOO / f"{spec}.yaml", (EAGER, *overrides)), trust=True).write(folder)
    module = load_module(folder / "module.py")
    with (
        contextlib.suppress(DivergenceError),
        Begun(folder, steps, device="cpu", mode="quiet", module=module) as run,
    ):
        module.train(run)
    return diagnose(folder).findings


def check_sick(folder, name, *overrides):
    sick, causes, change = SICK[name]
    found = findings(folder, "ppo/cartpole", *overrides, *sick)
    print(f"\n{name}: {', '.join(finding.symptom for finding in found) or 'nothing'}")
    assert found[0].symptom in causes
    assert found[0].changes[0].path == change


@pytest.mark.parametrize("name", QUICK)
def test_a_sick_run_is_found_by_its_cause(tmp_path, name):
    check_sick(tmp_path, name, SHORT)


def test_a_healthy_run_is_not_found_sick(tmp_path):
    assert findings(tmp_path, "ppo/cartpole", steps=10_240) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", SICK)
def test_every_sick_setting_is_found_with_every_seed(tmp_path, name, seed):
    check_sick(tmp_path, name, LONGER, f"training.seed={seed}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", HEALTHY)
def test_no_healthy_spec_is_found_sick_with_any_seed(tmp_path, name, seed):
    found = findings(tmp_path, name, f"training.seed={seed}", steps=51_200)
    assert [finding.symptom for finding in found] == []
