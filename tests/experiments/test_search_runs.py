"""Searches of real runs: one of some seconds, and the zoo's."""

import csv

import pytest

from ppoc.formats.experiment import read

SEARCH = """\
search:
  space: {optimizer.actor.lr: {log: [1e-4, 1e-2]}}
  trials: 2
  seeds: 1
  confirm: 1
"""
VARIANTS = "variants:\n  plain: {{}}\n  small: {{optimizer.actor.lr: 1e-5}}\n"


def test_a_search_from_spec_to_best_yaml(ppoc, spec, tmp_path):
    given = spec(seeds=1)
    text = given.read_text().replace(VARIANTS.format(), SEARCH)
    given.write_text(text.replace("compare: {baseline: plain}\n", ""))
    done = ppoc("run", given, "--out", "found")
    assert done.code == 0, done.err
    folder = tmp_path / "found"
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["state"], row["steps"]) for row in rows] == [
        ("0", "finished", "256"),
        ("1", "finished", "256"),
    ]
    best = max(rows, key=lambda row: float(row["score"]))
    (run,) = read(folder).runs
    assert run.run == f"trial-{best['trial']}-CartPole-v1-seed-1"
    assert f"trial {best['trial']}: {run.score:,.6g} over 1 fresh seed" in done.err
    again = ppoc("run", "found", "--resume")
    assert again.code == 0, again.err
    assert "runs of rates: 1 finished before\n" in again.err
    checked = ppoc("run", folder / "best.yaml", "--out", "alone")
    assert checked.code == 0, checked.err
    name = f"{run.run}/evaluations.jsonl"
    assert (folder / name).read_text() == (tmp_path / "alone/evaluations.jsonl").read_text()


@pytest.mark.slow
def test_the_zoos_search_solves_cartpole_with_all_fresh_seeds(ppoc, tmp_path):
    done = ppoc("run", "experiments/search-cartpole", "--out", "found", timeout=3600)
    assert done.code == 0, done.err
    means = {}
    for run in read(tmp_path / "found").runs:
        means.setdefault(run.setting, []).append(run.score)
    best = max(means.values(), key=sum)
    assert len(best) == 5
    assert min(best) >= 475
