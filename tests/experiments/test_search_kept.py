"""Bounds of a search, and where it is kept: budgets, journals, databases, on a stand-in."""

import shutil

import pytest

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.experiments.experiment_folder import ExperimentError, UnfinishedError
from ppoc.experiments.search.study import open_study
from ppoc.experiments.search.table import best_of
from standin import Killed, StandIn, bowl, outcomes, patch, rows, search, spec


@pytest.mark.parametrize(
    ("budget", "trials"),
    [("runs: 12", 4), ("runs: 13", 4), ("steps: 108_000", 4), ("steps: 107_999", 3)],
)
def test_a_budget_keeps_room_for_those_that_are_confirmed(budget, trials, tmp_path, monkeypatch):
    engine = patch(monkeypatch, StandIn(bowl))
    resolved = spec("confirm: 2\n  seeds: 2", 2, f"budget: {{{budget}}}")
    done = search(tmp_path / "a", resolved)
    assert len(rows(tmp_path / "a")) == trials
    assert len(engine.made) == 2 * trials + 4
    assert "has no room for another trial" in done.said


def test_hours_end_a_search_in_whatever_session(tmp_path, monkeypatch):
    resolved = spec("trials: 9\n  confirm: 1", rest="budget: {hours: 2}")
    patch(monkeypatch, StandIn(bowl, kill_after=30))
    with pytest.raises(Killed):
        search(tmp_path / "a", resolved)
    study = open_study(tmp_path / "a", resolved, print)
    study.set_user_attr("hours of here", 1.999)
    patch(monkeypatch, StandIn(bowl))
    done = search(tmp_path / "a", resolved)
    # Trial 1 was under way.
    assert [row["state"] for row in rows(tmp_path / "a")] == ["finished"] * 2
    assert "budget.hours, 2, has no room" in done.said
    assert done.record.runs


def test_a_budget_without_room_for_a_trial_is_said_before_anything_runs(tmp_path, monkeypatch):
    engine = patch(monkeypatch, StandIn(bowl))
    with pytest.raises(ExperimentError, match=r"budget.runs, 10, .*2 runs of a trial and 9 that"):
        search(tmp_path / "a", spec("confirm: 3", rest="budget: {runs: 10}"))
    assert engine.made == []


DAMAGE = {
    "no JSON": lambda data: b"hello\n" + data,
    "half a line inside": lambda data: data[:40] + b"\n" + data[41:],
    "no trial": lambda data: data + b'{"op_code": 6, "trial_id": 999, "state": 1, "values": [1]}\n',
    "no operation": lambda data: data + b'{"op_code": 77, "worker_id": "x"}\n',
    "a list": lambda data: data + b"[]\n",
    "of types": lambda data: data + b'{"op_code": 5, "trial_id": [], "param_name": {}}\n',
    "words for numbers": lambda data: (
        data + b'{"op_code": 8, "trial_id": 0, "user_attr": {"steps": "many"}}\n'
    ),
    "no hours": lambda data: (
        data + b'{"op_code": 2, "study_id": 0, "user_attr": {"hours of here": []}}\n'
    ),
    "deep": lambda data: data + b'{"op_code": ' + b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_journal_is_one_message(damage, tmp_path, monkeypatch):
    engine = patch(monkeypatch, StandIn(bowl))
    resolved = spec("trials: 2\n  confirm: 1")
    search(tmp_path / "a", resolved)
    journal = tmp_path / "a" / "search.journal"
    strange = DAMAGE[damage](journal.read_bytes())
    journal.write_bytes(strange)
    engine.made.clear()
    with pytest.raises(ExperimentError, match=r"search\.journal is damaged .*are whole"):
        search(tmp_path / "a", resolved)
    assert engine.made == []
    assert journal.read_bytes() == strange


def test_a_journal_that_ends_in_half_a_line_goes_on(tmp_path, monkeypatch):
    engine = patch(monkeypatch, StandIn(bowl))
    resolved = spec("trials: 3\n  confirm: 1")
    search(tmp_path / "a", resolved)
    before = outcomes(tmp_path / "a")
    journal = tmp_path / "a" / "search.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 4, "worker')
    engine.made.clear()
    done = search(tmp_path / "a", resolved)
    assert "ended in half a line" in done.said
    assert (engine.made, outcomes(tmp_path / "a")) == ([], before)


def test_a_journal_is_neither_a_link_nor_of_another_search(tmp_path, monkeypatch):
    patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "a", spec("trials: 2\n  confirm: 1"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "search.journal").symlink_to(tmp_path / "a" / "search.journal")
    with pytest.raises(ExperimentError, match="symbolic link"):
        search(tmp_path / "b", spec("trials: 2\n  confirm: 1"))
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(ExperimentError, match="of another search"):
        search(tmp_path / "a", spec("trials: 2\n  confirm: 1\n  seeds: 1"))


def test_machines_search_together_by_a_database(tmp_path, monkeypatch):
    resolved = spec(f"trials: 6\n  confirm: 1\n  storage: sqlite:///{tmp_path}/search.db")
    patch(monkeypatch, StandIn(bowl, kill_after=20))
    with pytest.raises(Killed):
        search(tmp_path / "one", resolved)
    there = patch(monkeypatch, StandIn(bowl))
    with pytest.raises(UnfinishedError, match="1 trials of other machines are not over"):
        search(tmp_path / "two", resolved)
    assert len({name.split("-")[1] for name in there.made}) == 4  # 0 is over, 1 is the other's
    here = patch(monkeypatch, StandIn(bowl))
    done = search(tmp_path / "one", resolved)
    assert here.made[0].startswith("trial-1-")
    assert [row["state"] for row in rows(tmp_path / "one")] == ["finished"] * 6
    assert len(done.record.runs) == 3
    study = open_study(tmp_path / "one", resolved, print)
    assert done.record.settings == [f"trial-{best_of(study)[0].number}"]


def test_a_database_that_is_not_there_is_one_message_without_its_password(tmp_path):
    url = f"sqlite:///{tmp_path}/no/such/folder/secret.db"
    with pytest.raises(ExperimentError, match=r"search\.storage") as error:
        search(tmp_path / "a", spec(f"trials: 3\n  storage: {url}"))
    assert "secret" not in str(error.value)


def test_a_lock_means_the_same_search_as_its_spec(tmp_path, monkeypatch):
    resolved = spec("trials: 2\n  confirm: 1")
    patch(monkeypatch, StandIn(bowl))
    search(tmp_path / "a", resolved)
    engine = patch(monkeypatch, StandIn(bowl))
    done = search(tmp_path / "a", resolve_text(compile_spec(resolved).lock, "spec.lock.yaml"))
    assert (engine.made, len(done.record.runs)) == ([], 3)
