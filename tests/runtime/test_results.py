"""result.json comes back as it was written; what is none is refused."""

import json
import math

import pytest

from ppoc.formats.documents import NewerError
from ppoc.formats.reading import FormatError
from ppoc.runtime.evaluation.statistics import summarize
from ppoc.runtime.rlhf.comparison import Comparison, Example, Side
from ppoc.runtime.run.results import Result, read_result, write_result

SUMMARY = summarize([1.0, 2.0, 4.0, 8.0])


def result(folder, evaluation, **more):
    return Result(folder, "control", True, "train", 512, 1.25, evaluation, **more)


def test_round_trip(tmp_path):
    for evaluation in (SUMMARY, None, SUMMARY._replace(mean=math.inf)):
        write_result(result(tmp_path, evaluation))
        if evaluation is not None and not math.isfinite(evaluation.mean):
            with pytest.raises(FormatError):
                read_result(tmp_path)
        else:
            expected = result(tmp_path, evaluation, earlier=True)
            assert read_result(tmp_path) == expected


@pytest.mark.parametrize("version", [{}, {"format": 1}])
def test_one_from_before_episodes_were_cut_is_read(tmp_path, version):
    """Also from before results said their version."""
    write_result(result(tmp_path, SUMMARY))
    row = json.loads((tmp_path / "result.json").read_text())
    assert row.pop("format") == 3
    for name in ("kind", "stage", "stopped", "evaluations"):
        del row[name]
    del row["evaluation"]["cut"], row["evaluation"]["cut_after"]
    for evaluation, expected in ((row["evaluation"], SUMMARY), (None, None)):
        text = json.dumps({**version, **row, "evaluation": evaluation})
        (tmp_path / "result.json").write_text(text)
        assert read_result(tmp_path).evaluation == expected


def test_cut_episodes_come_back(tmp_path):
    summary = summarize([1.0, 2.0], cut=1, cut_after=500)
    write_result(result(tmp_path, summary))
    assert read_result(tmp_path).evaluation == summary


@pytest.mark.parametrize(
    "change",
    [
        {"finished": 1},
        {"steps": "512"},
        {"steps": True},
        {"seconds": None},
        {"stage": 1},
        {"stopped": "no"},
        {"kind": "other"},
        {"kind": ["control"]},
        {"evaluations": []},
        {"evaluations": {"train": {"loss": "1"}}},
        {"evaluation": 1},
        {"evaluation": {}},
        {"evaluation": {**SUMMARY._asdict(), "mean": "1"}},
        {"evaluation": {**SUMMARY._asdict(), "episodes": 1.5}},
        {"evaluation": {**SUMMARY._asdict(), "cut": 0.5}},
        {"evaluation": {**SUMMARY._asdict(), "more": 1}},
    ],
)
def test_what_is_no_result_is_refused(tmp_path, change):
    write_result(result(tmp_path, SUMMARY))
    row = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps({**row, **change}))
    with pytest.raises(FormatError):
        read_result(tmp_path)


def test_a_newer_one_is_refused(tmp_path):
    (tmp_path / "result.json").write_text('{"format": 4}')
    with pytest.raises(NewerError, match="update ppoc"):
        read_result(tmp_path)


def comparison():
    side = Side(1.0, 2.0, 0.5)
    shown = [Example("a", "b", "c", 0.0, 1.0)]
    return Comparison(4, 2, side, side, 0.1, 0.0, 0.2, 0.5, 0.4, 0.6, 1.0, 0.1, shown)


def of_language_model(folder, **more):
    measured = {"sft": {"loss": 1.5}, "ppo": {"score": 1.0}}
    return Result(folder, "rlhf", True, "ppo", 96, 1.25, comparison(), measured, **more)


def test_that_of_a_language_model_comes_back(tmp_path):
    write_result(of_language_model(tmp_path))
    assert read_result(tmp_path) == of_language_model(tmp_path, earlier=True)


def test_one_of_a_language_model_from_before_results_were_one_is_read(tmp_path):
    row = {
        "kind": "rlhf",
        "finished": True,
        "stage": "ppo",
        "steps": 96,
        "seconds": 1.25,
        "evaluations": {"sft": {"loss": 1.5}, "ppo": {"score": 1.0}},
        "comparison": comparison().document(),
    }
    (tmp_path / "result.json").write_text(json.dumps(row))
    assert read_result(tmp_path) == of_language_model(tmp_path, earlier=True)


@pytest.mark.parametrize(
    "change",
    [{"prompts": 1.5}, {"before": {}}, {"examples": [{}]}, {"examples": 1}, {"kl": "x"}, {"x": 1}],
)
def test_what_is_no_comparison_is_refused(tmp_path, change):
    write_result(of_language_model(tmp_path))
    row = json.loads((tmp_path / "result.json").read_text())
    row["evaluation"] |= change
    (tmp_path / "result.json").write_text(json.dumps(row))
    with pytest.raises(FormatError):
        read_result(tmp_path)
