"""result.json comes back as it was written; what is none is refused."""

import json
import math

import pytest

from ppoc.formats.documents import NewerError
from ppoc.formats.reading import FormatError
from ppoc.runtime.evaluation.statistics import summarize
from ppoc.runtime.run.results import Result, read_result, write_result

SUMMARY = summarize([1.0, 2.0, 4.0, 8.0])


def test_round_trip(tmp_path):
    for evaluation in (SUMMARY, None, SUMMARY._replace(mean=math.inf)):
        write_result(Result(tmp_path, True, 512, 1.25, evaluation))
        if evaluation is not None and not math.isfinite(evaluation.mean):
            with pytest.raises(FormatError):
                read_result(tmp_path)
        else:
            expected = Result(tmp_path, True, 512, 1.25, evaluation, earlier=True)
            assert read_result(tmp_path) == expected


@pytest.mark.parametrize("version", [{}, {"format": 1}])
def test_one_from_before_episodes_were_cut_is_read(tmp_path, version):
    """Also from before results said their version."""
    write_result(Result(tmp_path, True, 512, 1.25, SUMMARY))
    row = json.loads((tmp_path / "result.json").read_text())
    assert row.pop("format") == 2
    del row["evaluation"]["cut"], row["evaluation"]["cut_after"]
    for evaluation, expected in ((row["evaluation"], SUMMARY), (None, None)):
        text = json.dumps({**version, **row, "evaluation": evaluation})
        (tmp_path / "result.json").write_text(text)
        assert read_result(tmp_path).evaluation == expected


def test_cut_episodes_come_back(tmp_path):
    summary = summarize([1.0, 2.0], cut=1, cut_after=500)
    write_result(Result(tmp_path, True, 512, 1.25, summary))
    assert read_result(tmp_path).evaluation == summary


@pytest.mark.parametrize(
    "change",
    [
        {"finished": 1},
        {"steps": "512"},
        {"steps": True},
        {"seconds": None},
        {"evaluation": 1},
        {"evaluation": {}},
        {"evaluation": {**SUMMARY._asdict(), "mean": "1"}},
        {"evaluation": {**SUMMARY._asdict(), "episodes": 1.5}},
        {"evaluation": {**SUMMARY._asdict(), "cut": 0.5}},
        {"evaluation": {**SUMMARY._asdict(), "more": 1}},
    ],
)
def test_what_is_no_result_is_refused(tmp_path, change):
    write_result(Result(tmp_path, True, 512, 1.25, SUMMARY))
    row = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps({**row, **change}))
    with pytest.raises(FormatError):
        read_result(tmp_path)


def test_a_newer_one_is_refused(tmp_path):
    (tmp_path / "result.json").write_text('{"format": 3}')
    with pytest.raises(NewerError, match="update ppoc"):
        read_result(tmp_path)
