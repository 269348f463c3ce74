"""The experiments of the zoo: each asks something, and passes all checks."""

import pytest

from ppoc.compiler import zoo
from ppoc.compiler.batch import check
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.formats.experiment import read
from zoo import ROOT

FOLDER = "experiments"
EXPERIMENTS = {
    name.removeprefix(f"{FOLDER}/"): path
    for name, path in zoo.paths().items()
    if name.startswith(f"{FOLDER}/")
}
RECORDED = {
    path.name: path for path in sorted((ROOT / "benchmarks/results/experiments").glob("*/"))
}
CLAIMS = {
    "reinforce-variance",
    "gae-lambda",
    "entropy-cartpole",
    "entropy-lunarlander",
    "entropy-hopper",
    "clip-kl-trust-region",
    "critic-rate",
    "critic-rate-ppo",
    "depth-width",
    "reward-scale",
    "figure3",
}
SEARCHES = {"search-cartpole"}


def test_every_claim_has_its_experiment():
    assert set(EXPERIMENTS) == CLAIMS | SEARCHES
    assert all(path.parent == ROOT / "specs" / FOLDER for path in EXPERIMENTS.values())


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_a_search_asks_confirms_and_compiles(name):
    text = EXPERIMENTS[name].read_text(encoding="utf-8")
    assert "?" in text.splitlines()[0]
    resolved = resolve(EXPERIMENTS[name])
    assert resolved.spec.name == name
    assert resolved.spec.question.endswith("?")
    assert resolved.spec.search.confirm >= 2
    assert [seed.value for seed in resolved.seeds] == [1, 2, 3, 4, 5]
    for _, examined in resolved.examined:  # the ends of its ranges
        assert "def train(" in compile_spec(examined.resolved).module


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_an_experiment_asks_and_compares(name):
    text = EXPERIMENTS[name].read_text(encoding="utf-8")
    comment = " ".join(
        line.removeprefix("# ") for line in text.partition("ppoc: 1\n")[0].splitlines()
    )
    assert "?" in text.splitlines()[0]  # the line that `ppoc zoo list` shows
    assert "Dinu, Policy gradients and PPO, RL Bootcamp 2024" in comment
    resolved = resolve(EXPERIMENTS[name])
    assert resolved.spec.name == name
    assert resolved.spec.question.endswith("?")
    assert resolved.spec.compare.baseline in [setting.name for setting in resolved.settings]
    assert len(resolved.settings) >= 2
    assert {member.seed for member in resolved.members} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_passes_all_checks_without_a_warning(name):
    assert check(EXPERIMENTS[name]).found == []


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_each_setting_of_an_experiment_compiles(name):
    resolved = resolve(EXPERIMENTS[name])
    first = {member.setting: member for member in reversed(resolved.members)}
    assert set(first) == {setting.name for setting in resolved.settings}
    for member in first.values():
        module = compile_spec(member.resolved).module
        assert "def train(" in module, member.name
        compile(module, member.name, "exec")


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_is_of_the_experiment(name):
    resolved, record = resolve(EXPERIMENTS[name]), read(RECORDED[name])
    assert record.question == resolved.spec.question
    assert (record.baseline, record.settings) == (
        resolved.spec.compare.baseline,
        [setting.name for setting in resolved.settings],
    )
    planned = [(m.name, m.setting, m.task, m.seed) for m in resolved.members]
    assert [(run.run, run.setting, run.task, run.seed) for run in record.runs] == planned
    assert all(run.state == "finished" and run.score is not None for run in record.runs)
    assert (RECORDED[name] / "curves.png").stat().st_size > 10_000
    assert record.question in (RECORDED[name] / "comparison.txt").read_text(encoding="utf-8")
