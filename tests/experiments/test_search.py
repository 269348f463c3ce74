"""Searches on a stand-in of an engine, whose runs are a formula of their values."""

import math

import pytest

from ppoc.compiler.resolve import resolve_text
from ppoc.experiments.experiment_folder import ExperimentError, UnfinishedError
from ppoc.experiments.search.score import by_unit, score
from standin import (
    BEST_LR,
    SPEC,
    Killed,
    StandIn,
    bowl,
    outcomes,
    patch,
    rows,
    search,
    spec,
    write_result,
)


@pytest.mark.parametrize("method", ["tpe", "gp", "random"])
def test_a_search_finds_what_is_good_and_confirms_it_with_fresh_seeds(
    method, tmp_path, monkeypatch
):
    engine = patch(monkeypatch, StandIn(bowl))
    resolved = spec(f"{{}}\n  trials: 16\n  method: {method}\n  confirm: 2".removeprefix("{}\n  "))
    done = search(tmp_path / "a", resolved)
    found = rows(tmp_path / "a")
    assert [row["state"] for row in found] == ["finished"] * 16
    best = max(found, key=lambda row: float(row["score"]))
    assert abs(math.log10(float(best["optimizer.actor.lr"]) / BEST_LR)) < 1
    # Two seeds a trial, none of them one of those that confirm.
    assert sum("-seed-1001" in name or "-seed-1002" in name for name in engine.made) == 32
    fresh = [name for name in engine.made if "-seed-100" not in name]
    assert len(fresh) == 6
    assert engine.made[-6:] == fresh
    assert done.record.settings[0] == f"trial-{best['trial']}"
    assert {run.seed for run in done.record.runs} == {1, 2, 3}
    assert all(run.state == "finished" and run.score is not None for run in done.record.runs)


def test_best_yaml_is_a_spec_that_says_where_its_values_come_from(tmp_path, monkeypatch):
    patch(monkeypatch, StandIn(bowl))
    done = search(tmp_path / "a", spec("trials: 6\n  confirm: 2"))
    text = (tmp_path / "a" / "best.yaml").read_text()
    best = resolve_text(text, "best.yaml").spec
    found = {int(row["trial"]): row for row in rows(tmp_path / "a")}
    chosen = int(text.split("# lr: searched, from 1e-06 to 0.1, in logarithms; of trial ")[1][0])
    row = found[chosen]
    assert best.optimizer.actor.lr == float(row["optimizer.actor.lr"])
    assert best.advantage.gamma == float(row["advantage.gamma"])
    assert (best.name, best.env.id, best.training.total_steps) == (
        "stand-in-best",
        "CartPole-v1",
        9000,
    )
    means = {}
    for run in done.record.runs:
        means.setdefault(run.setting, []).append(run.score)
    assert sum(means[f"trial-{chosen}"]) == max(map(sum, means.values()))
    mean = sum(means[f"trial-{chosen}"]) / 3
    joined = " ".join(line.removeprefix("# ") for line in text.splitlines())
    assert f"trial {chosen}: {mean:,.6g} [" in joined
    assert f"its score was {float(row['score']):,.6g} in the search and is" in joined


def test_a_score_is_of_the_last_third_and_of_the_last_evaluation(tmp_path):
    lines = [f"{1000 * part},{10 * part if part != 5 else ''}" for part in range(1, 10)]
    (tmp_path / "metrics.csv").write_text("\n".join(["step,episode_return", *lines, ""]))
    write_result(tmp_path, finished=True, score=100.0)
    assert score(tmp_path) == ((70 + 80 + 90) / 3 + 100) / 2
    # Where no episode ended in a part, the value before it.
    assert by_unit([(1500, 3.0), (3500, 5.0), (4500, 7.0)], 9000) == [None, 3.0, 3.0, 5.0]


def test_the_same_search_is_the_same_again_and_after_it_was_killed(tmp_path, monkeypatch):
    resolved = spec("trials: 14\n  prune: hyperband\n  confirm: 1")
    whole = patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "whole", resolved)
    patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "again", resolved)
    assert outcomes(tmp_path / "again") == outcomes(tmp_path / "whole")

    parts = 0
    for _ in range(100):
        engine = patch(monkeypatch, StandIn(bowl, kill_after=23))
        try:
            done = search(tmp_path / "killed", resolved)
        except Killed:
            parts += engine.parts
            continue
        break
    assert parts + engine.parts == whole.parts  # nothing was made twice
    assert outcomes(tmp_path / "killed") == outcomes(tmp_path / "whole")
    assert done.record.settings == search(tmp_path / "whole", resolved).record.settings
    last = [(tmp_path / name / "best.yaml").read_text() for name in ("killed", "whole")]
    assert last[0] == last[1]


def test_a_search_that_is_over_runs_nothing_and_more_trials_go_on_with_it(tmp_path, monkeypatch):
    patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "a", spec("trials: 3\n  confirm: 1"))
    before = outcomes(tmp_path / "a")
    engine = patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "a", spec("trials: 3\n  confirm: 1"))
    assert engine.made == []
    search(tmp_path / "a", spec("trials: 5\n  confirm: 1"))
    assert [{**row, "front": ""} for row in outcomes(tmp_path / "a")[:3]] == [
        {**row, "front": ""} for row in before
    ]
    assert len(outcomes(tmp_path / "a")) == 5


@pytest.mark.parametrize("prune", ["hyperband", "median"])
def test_trials_that_are_behind_are_pruned_and_their_runs_stopped(prune, tmp_path, monkeypatch):
    engine = patch(monkeypatch, StandIn(bowl, slots=2))
    done = search(
        tmp_path / "a",
        spec(f"trials: 20\n  prune: {prune}\n  confirm: 1"),
    )
    found = rows(tmp_path / "a")
    pruned = [row for row in found if row["state"] == "pruned"]
    assert pruned
    assert all("of 9 parts" in row["reason"] for row in pruned)
    assert all(int(row["steps"]) < 2 * 9000 for row in pruned)
    assert engine.stopped
    assert engine.parts < 20 * 18 + 27
    best = max((row for row in found if row["score"]), key=lambda row: float(row["score"]))
    assert done.record.settings == [f"trial-{best['trial']}"]
    worst = [abs(math.log10(float(row["optimizer.actor.lr"]) / BEST_LR)) for row in pruned]
    assert min(worst) > abs(math.log10(float(best["optimizer.actor.lr"]) / BEST_LR))


def test_wilcoxon_prunes_by_the_first_seeds(tmp_path, monkeypatch):
    engine = patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "a", spec("trials: 8\n  seeds: 5\n  prune: wilcoxon\n  confirm: 1"))
    pruned = [row for row in rows(tmp_path / "a") if row["state"] == "pruned"]
    assert pruned
    assert {row["reason"] for row in pruned} == {"after 4 of 5 runs"}
    for row in pruned:
        assert f"trial-{row['trial']}-CartPole-v1-seed-1005" not in engine.made


def test_trials_that_fail_have_a_reason_and_the_search_goes_on(tmp_path, monkeypatch):
    def fragile(run):
        return "the loss is not finite\nat step 7" if run.lr > BEST_LR else bowl(run)

    engine = patch(monkeypatch, StandIn(fragile))
    done = search(tmp_path / "a", spec("trials: 12\n  confirm: 1"))
    failed = [row for row in rows(tmp_path / "a") if row["state"] == "failed"]
    assert failed
    for row in failed:
        assert float(row["optimizer.actor.lr"]) > BEST_LR
        assert "the loss is not finite" in row["reason"]
        # Its other seed was not begun.
        assert f"trial-{row['trial']}-CartPole-v1-seed-1002" not in engine.made
    assert done.record.runs
    assert "failed: trial-" in done.said


def test_a_setting_that_does_not_compile_is_a_failed_trial(tmp_path, monkeypatch):
    patch(monkeypatch, StandIn(bowl))
    text = "space: {update.minibatch_size: {choice: [64, 100]}, optimizer.actor.lr: "
    text += "{log: [1e-4, 1e-3]}}\n  trials: 6\n  confirm: 1"
    whole = SPEC.format(search="", seeds=2, rest="")
    begin, end = whole.index("  space:"), whole.index("seeds:")
    # Both ends of each range are right; what is wrong, only some trials have.
    monkeypatch.setattr("ppoc.compiler.experiment.resolved.of_some", lambda found: [])
    resolved = resolve_text(f"{whole[:begin]}  {text}\n{whole[end:]}", "spec.yaml")
    search(tmp_path / "a", resolved)
    found = rows(tmp_path / "a")
    assert {row["update.minibatch_size"]: row["state"] for row in found} == {
        "64": "finished",
        "100": "failed",
    }
    assert all("minibatch" in row["reason"] for row in found if row["state"] == "failed")


def test_no_trial_with_a_score_ends_without_a_claim(tmp_path, monkeypatch):
    patch(monkeypatch, StandIn(lambda run: "out of luck"))
    with pytest.raises(UnfinishedError, match=r"none of 3 trials has a score.*out of luck"):
        search(tmp_path / "a", spec("trials: 3"))
    assert not (tmp_path / "a" / "best.yaml").exists()


def test_cost_is_a_second_objective_with_a_front(tmp_path, monkeypatch):
    patch(monkeypatch, StandIn(bowl))
    done = search(tmp_path / "a", spec("trials: 14\n  cost: true\n  confirm: 3"))
    found = rows(tmp_path / "a")
    front = [row for row in found if row["front"]]
    assert 1 <= len(front) < len(found)
    for row in front:
        assert not any(
            float(other["score"]) >= float(row["score"])
            and float(other["seconds"]) < float(row["seconds"])
            for other in found
        )
    assert set(done.record.settings) <= {f"trial-{row['trial']}" for row in front}


def test_tasks_are_scored_together_on_their_scales(tmp_path, monkeypatch):
    def two(run):
        return bowl(run) * (1000 if run.task == "Acrobot-v1" else 1)

    patch(monkeypatch, StandIn(two))
    tasks = "tasks: [CartPole-v1, Acrobot-v1]"
    with pytest.raises(ExperimentError, match=r"compare\.scores"):
        search(tmp_path / "a", spec("trials: 2\n  confirm: 1", rest=tasks))
    scales = "compare: {scores: {CartPole-v1: [0, 100], Acrobot-v1: [0, 100_000]}}"
    done = search(tmp_path / "b", spec("trials: 2\n  confirm: 1", 2, rest=f"{tasks}\n{scales}"))
    assert all(-2 < float(row["score"]) < 1.1 for row in rows(tmp_path / "b"))
    assert len(done.record.runs) == 4
