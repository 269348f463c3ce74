"""The requests of requests.yaml: both halves stay above what was asked of the reader."""

import runpy
from pathlib import Path

import pytest

SCORE = runpy.run_path(str(Path(__file__).parent / "score.py"))


@pytest.mark.parametrize(
    ("half", "recall", "precision"), [("dev", 0.98, 0.98), ("held_out", 0.93, 0.97)]
)
def test_a_half_is_read_well(half, recall, precision):
    score = SCORE["score"](SCORE["requests"](half))
    assert score.requests >= 36
    assert score.found / score.expected >= recall, score.problems
    assert score.right / score.given >= precision, score.problems
    assert score.wrong_kind == 0
    assert score.checked == score.requests


def test_a_wrong_draft_lowers_the_score():
    wrong = {"request": "PPO vs TRPO on Hopper, 3 seeds", "kind": "experiment", "seeds": 4}
    score = SCORE["score"]([wrong])
    assert (score.found, score.right) == (0, 0)
    assert score.given == 5  # PPO as the base, Hopper, two variants, seeds
