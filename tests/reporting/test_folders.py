"""Experiment folders and run folders, whole, broken and of strangers."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ppoc.formats import experiment
from ppoc.formats.experiment import ExperimentRecord, RunRecord
from ppoc.formats.reading import FormatError
from ppoc.reporting.comparison import answer, compare_paths
from ppoc.reporting.folders import score_of
from ppoc.reporting.inputs import questions, read
from ppoc.reporting.locks import Lock, labels

ARTEFACT = Path(__file__).parents[1] / "artefacts" / "cartpole"


def run_folder(place, *, seed=1, score=None, changes=()):
    """A run of an earlier version, with another seed, score or value in its lock."""
    shutil.copytree(ARTEFACT, place)
    lock = (place / "spec.lock.yaml").read_text()
    for old, new in (("  seed: 1 ", f"  seed: {seed} "), *changes):
        assert old in lock
        lock = lock.replace(old, new)
    (place / "spec.lock.yaml").write_text(lock)
    if score is not None:
        result = json.loads((place / "result.json").read_text())
        result["evaluation"]["mean"] = score
        (place / "result.json").write_text(json.dumps(result))
    return place


def experiment_folder(
    place, *, folders=False, task="CartPole-v1", names=("plain", "entropy"), **fields
):
    place.mkdir()
    runs = [
        RunRecord(
            run=f"{setting}-{seed}",
            setting=setting,
            task=task,
            seed=seed,
            state="finished",
            score=score + seed,
        )
        for setting, score in zip(names, (100.0, 300.0), strict=True)
        for seed in range(1, 6)
    ]
    if folders:
        for run in runs:
            run_folder(place / run.run, seed=run.seed)
    record = ExperimentRecord(
        name="x", settings=sorted(names), runs=runs, baseline=names[0], **fields
    )
    experiment.write(place, record)
    return place


def test_an_experiment_is_answered_by_its_own_record(tmp_path):
    folder = experiment_folder(tmp_path / "x", question="Does entropy help?", confidence=0.9)
    (line,) = answer(folder)
    assert line.startswith(
        "Does entropy help? entropy is better than plain on CartPole-v1: +200 (90%"
    )
    found = compare_paths([folder], baseline="entropy", confidence=0.95)
    assert found.verdicts[0].outcome == "worse"
    assert found.confidence == 0.95
    assert found.scales["CartPole-v1"].matters == pytest.approx(0.05 * 303)
    sure = experiment_folder(tmp_path / "y", margin=500.0)
    assert compare_paths([sure]).verdicts[0].outcome == "no difference that matters"
    assert compare_paths([sure], share=0.05).verdicts[0].outcome == "better"


def test_curves_of_an_experiment_come_from_its_run_folders(tmp_path):
    folder = experiment_folder(tmp_path / "x", folders=True, threshold=15.0)
    found = compare_paths([folder])
    cell = found.cells[0]
    assert cell.auc is not None
    assert cell.reached.steps == [256.0] * 5
    assert compare_paths([folder], metric="training").cells[0].scores[0] > 0


def test_links_that_lead_out_of_an_experiment_are_not_followed(tmp_path):
    folder = experiment_folder(tmp_path / "x", folders=True)
    shutil.move(folder / "plain-1", tmp_path / "elsewhere")
    (folder / "plain-1").symlink_to(tmp_path / "elsewhere")
    (folder / "plain-2" / "metrics.csv").unlink()
    (folder / "plain-2" / "metrics.csv").symlink_to("/etc/passwd")
    given = read([folder])
    curves = {run.name: run.curve for run in given.runs}
    assert curves["plain-1"] is None
    assert curves["plain-2"] is None
    assert curves["plain-3"] is not None
    assert any("plain-1: no curve, a link that leads out" in note for note in given.notes)
    assert any("plain-2: no curve" in note for note in given.notes)
    (tmp_path / "link").symlink_to(folder)  # the folder itself may be one
    assert len(read([tmp_path / "link"]).runs) == 10


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 99}', '{"format": 1}', "\0", '{"format": 1, "runs": [{}]}']
)
def test_results_that_are_none_are_said(tmp_path, text):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "results.json").write_text(text)
    with pytest.raises(FormatError, match=r"no run can be compared\n  .*x is left out"):
        compare_paths([tmp_path / "x"])


def test_ordinary_runs_are_told_apart_by_their_locks(tmp_path):
    folders = [
        run_folder(tmp_path / f"{lr}-{seed}", seed=seed, score=score, changes=[("lr: 0.001", lr)])
        for lr, score in (("lr: 0.001", 100.0), ("lr: 0.01", 10.0))
        for seed in (1, 2, 3)
    ]
    given = read(folders)
    assert given.notes == []
    assert {run.setting for run in given.runs} == {
        "lr=0.001",
        "lr=0.01",
    }
    assert {(run.task, run.seed) for run in given.runs} == {("CartPole-v1", s) for s in (1, 2, 3)}
    assert [run.score for run in given.runs] == [100.0] * 3 + [10.0] * 3


def test_one_setting_is_called_as_its_spec(tmp_path):
    folders = [run_folder(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    found = compare_paths(folders)
    assert found.table.settings == ["cartpole-ppo"]
    assert found.verdict.split("\n") == [
        "mean score 87 on CartPole-v1 (2 seeds)",
        "one setting alone is compared with nothing",
    ]


def lock_of(name, task="", **values):
    return Lock(name, task, 1, values)


def test_values_that_change_together_are_said_once():
    locks = [lock_of("x", **{"actor.lr": n, "critic.lr": n}) for n in "12"]
    assert labels(locks) == ["lr=1", "lr=2"]
    locks = [lock_of("x", **{"actor.lr": a, "critic.lr": b}) for a, b in ("11", "12", "22")]
    assert labels(locks)[1] == "actor.lr=1, critic.lr=2"


def test_settings_that_differ_in_much_are_called_by_their_specs():
    first, second, third = (
        {f"k{key}": value for key, value in enumerate(values)}
        for values in ("00000", "12345", "12346")
    )
    third["k3"] = second["k2"]
    locks = [
        lock_of("ppo-A", "A", **first),
        lock_of("ppo-B", "B", **first),
        lock_of("trpo", "A", **second),
        lock_of("trpo", "A", **third),
        lock_of("a2c", "A", **{**first, "k0": "7", "k1": "8", "k2": "9"}),
    ]
    assert labels(locks) == ["ppo", "ppo", "trpo", "trpo (2)", "a2c"]


def test_unfinished_broken_and_repeated_runs_are_said(tmp_path):
    folders = {name: run_folder(tmp_path / name) for name in ("whole", "same", "open", "torn")}
    (folders["open"] / "result.json").unlink()
    (folders["torn"] / "result.json").write_text("{")
    (tmp_path / "empty").mkdir()
    (tmp_path / "no-lock").mkdir()
    (tmp_path / "no-lock" / "result.json").write_text("{}")
    again = Path(os.path.join(tmp_path, "empty", "..", "whole"))
    found = compare_paths(
        [*folders.values(), tmp_path / "empty", tmp_path / "no-lock", tmp_path / "nowhere", again]
    )
    notes = "\n".join(found.notes)
    assert "open (it has no result.json: it was not finished)" in notes
    assert "1 run failed and not counted" in notes
    assert "torn (result.json: it is not JSON" in notes
    assert "same (as " in notes
    assert "empty is left out: it is neither an experiment nor a run" in notes
    assert "no-lock is left out: No such file" in notes
    assert "nowhere is left out: there is no such file or folder" in notes
    assert "is left out: it is the same as" in notes
    assert found.cells[0].scores.tolist() == [87.0]


def test_a_folder_with_pipes_or_links_out_is_left_out(tmp_path):
    piped, linked = (run_folder(tmp_path / name) for name in ("piped", "linked"))
    (piped / "metrics.csv").unlink()
    os.mkfifo(piped / "metrics.csv")
    (linked / "metrics.csv").unlink()
    (linked / "metrics.csv").symlink_to("/etc/passwd")
    given = read([piped, linked])
    assert not given.runs
    assert "piped is left out" in given.notes[0]
    assert "linked is left out" in given.notes[1]


def test_settings_of_a_second_experiment_get_its_name(tmp_path):
    first = experiment_folder(tmp_path / "x", question="One?")
    second = experiment_folder(tmp_path / "y", question="Two?")
    found = compare_paths([first, second])
    assert set(found.table.settings) == {"entropy", "plain", "x: entropy", "x: plain"}
    assert found.question == "One?"
    assert any("its question is not answered" in note for note in found.notes)


def test_the_same_settings_on_other_tasks_are_more_tasks_of_one_question(tmp_path):
    first = experiment_folder(tmp_path / "x", question="One?", threshold=475, margin=20)
    second = experiment_folder(tmp_path / "y", question="Two?", task="Acrobot-v1", margin=20)
    assert questions([first, second]) == [[first, second]]
    found = compare_paths([first, second])
    assert list(found.table.settings) == ["entropy", "plain"]
    assert list(found.common) == ["CartPole-v1", "Acrobot-v1"]
    assert found.question == "One? Two?"
    assert [one.outcome for one in found.verdicts] == ["better"]
    assert found.threshold is None
    assert any("its threshold is not that of the first" in note for note in found.notes)
    assert {found.scales[task].matters for task in found.common} == {20}


def test_experiments_without_a_shared_task_or_settings_are_separate_questions(tmp_path):
    first = experiment_folder(tmp_path / "x")
    other = experiment_folder(tmp_path / "y", task="Acrobot-v1", names=("ppo", "trpo"))
    third = experiment_folder(tmp_path / "z", names=("slow", "fast"))
    table = tmp_path / "others.csv"
    assert questions([other, table, first, third]) == [[other, table], [first, third]]
    assert questions([table]) == [[table]]


@pytest.mark.parametrize(
    ("result", "score"),
    [
        ({"score": 3, "evaluation": {"mean": 4}}, 3.0),
        ({"evaluation": {"mean": 4.5}}, 4.5),
        ({"evaluation": {"after": {"score": -1.0}}}, -1.0),
        ({"evaluation": None}, None),
        ({"evaluation": {"mean": True}}, None),
        ({"evaluation": {"mean": float("nan")}}, None),
        ({"evaluation": {"mean": 10**400}}, None),
        ({"evaluation": {"after": []}}, None),
    ],
)
def test_the_score_of_a_result(result, score):
    assert score_of(result) == score
