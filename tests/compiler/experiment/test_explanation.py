"""`ppoc explain` of an experiment, and how long it takes by what was measured."""

import json
import math
import os

import pytest

from ppoc.compiler.kinds import KINDS
from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.work import work_of
from ppoc.formats import rates
from ppoc.formats.rates import Rate

TEXT = """\
ppoc: 1
kind: experiment
question: Does an entropy bonus help?
base: ppo/cartpole
variants:
  with: {losses.entropy.beta: 0.05}
  without: {}
compare: {baseline: without}
seeds: 4
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def explained(text, *overrides, tex=False):
    resolved = resolve_text(text, "spec.yaml", overrides)
    return resolved.kind.explain(resolved, tex=tex)


def test_what_is_compared_with_the_baseline():
    text = explained(TEXT)
    assert "Does an entropy bonus help?" in text
    assert "    without, the baseline\n    with: losses.entropy.beta: 0.0 → 0.05\n" in text
    assert "on CartPole-v1\nseeds 1, 2, 3, 4\n" in text
    assert "8 runs of 100,000 steps each, 800,000 steps in all\n" in text
    assert "of `with`, other than the baseline's\n\n    whole loss, minimised\n" in text


def test_time_is_that_of_measured_rates_and_of_no_others():
    assert "not measured here yet" in explained(TEXT)
    member = resolve_text(TEXT, "spec.yaml").members[0].resolved
    rates.note(work_of(member), Rate(1000.0, 350.5))
    text = explained(TEXT)
    assert "Time: about 13 minutes one after the other" in text
    assert "Memory: up to 350 MiB a run" in text
    some = explained(TEXT, "tasks=[CartPole-v1, Acrobot-v1]")
    assert "Time of 8 of the 16 runs: about 13 minutes" in some
    assert "The others were not measured" in " ".join(some.split())


def test_seeds_steps_and_rates_of_learning_change_no_work():
    names = {
        work_of(member.resolved)
        for changes in ("optimizer.actor.lr: 0.1", "training.total_steps: 256", "update.epochs: 3")
        for member in resolve_text(
            f"ppoc: 1\nkind: experiment\nbase: ppo/cartpole\nset: {{{changes}}}\n", "s.yaml"
        ).members
    }
    assert len(names) == 2


@pytest.mark.parametrize("name", KINDS)
def test_the_keys_of_pace_are_of_the_language(name):
    for key in (*KINDS[name].pace, *KINDS[name].alike):
        model = KINDS[name].model
        for step in key.split("."):
            info = model.model_fields[step]
            model = next((x for x in (info.annotation, *getattr(info.annotation, "__args__", ()))
                          if hasattr(x, "model_fields")), None)  # fmt: skip


def test_objectives_in_latex_each_with_whose_it_is():
    text = explained(TEXT, tex=True)
    assert text.startswith("% `without`\n\\begin{align*}\n")
    assert text.count("\\begin{align*}") == 2
    grid = explained(TEXT.partition("variants")[0] + "vary: {update.epochs: [1, 2]}\n", tex=True)
    assert grid.startswith("% `epochs=1`, `epochs=2`\n")


def test_a_search_says_its_space_and_its_runs():
    text = TEXT.partition("variants")[0] + "search: {space: {advantage.γ: {range: [0.9, 1]}}}\n"
    found = explained(text)
    assert "    advantage.gamma: range [0.9, 1.0]\n" in found
    assert "75 runs at most, of 100,000 steps each" in found


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"format": 9, "rates": {}}', '{"format": 1}', '{"format": 1, "rates": 3}'],
)
def test_a_file_of_rates_that_is_none_counts_as_nothing(content, cache):
    cache.mkdir()
    (cache / "rates.json").write_text(content)
    assert rates.read() == {}
    rates.note("control/x/0", Rate(2.0))
    assert rates.read() == {"control/x/0": Rate(2.0)}


def test_rates_of_strangers_are_bounded(cache):
    cache.mkdir()
    rows = {"a": [1.0, None], "b": [-1, None], "c": ["1", 2], "d": [1e300, 1], "\x1b[2J": [1, 1]}
    rows |= {"e": [True, None], "f": [5], "g": [2, 3.5]}
    (cache / "rates.json").write_text(json.dumps({"format": 1, "rates": rows}))
    assert rates.read() == {"a": Rate(1.0), "g": Rate(2, 3.5)}
    os.remove(cache / "rates.json")
    os.mkfifo(cache / "rates.json")
    assert rates.read() == {}


def test_the_latest_rates_are_kept(monkeypatch):
    monkeypatch.setattr(rates, "MOST", 3)
    for number in (1, 2, 3, 1, 4):
        rates.note(f"w{number}", Rate(float(number)))
    rates.note("w5", Rate(math.inf))
    assert [*rates.read()] == ["w3", "w1", "w4"]
