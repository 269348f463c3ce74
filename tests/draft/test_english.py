"""The requests of benchmarks/english: all halves stay above what was asked of the readers."""

import runpy

import pytest
from ruamel.yaml import YAML

from zoo import ROOT

FOLDER = ROOT / "benchmarks" / "english"
SCORE = runpy.run_path(str(FOLDER / "score.py"))


@pytest.mark.parametrize(
    ("half", "requests"), [("dev", 75), ("held_out", 75), ("rlhf_dev", 25), ("rlhf_held_out", 20)]
)
def test_a_half_is_read_well(half, requests):
    entries = YAML(typ="safe").load((FOLDER / f"{half}.yaml").read_text(encoding="utf-8"))
    score = SCORE["score"](entries, verbose=False)
    assert score.requests >= requests
    assert score.found / score.expected >= 0.95
    assert score.right / score.given >= 0.98
    assert score.invented == []
    assert score.pass_check == score.drafts


def test_a_wrong_draft_lowers_the_score():
    wrong = {"request": "PPO on Hopper, clip 0.1, 8 envs", "fields": {"losses.policy.epsilon": 0.2}}
    score = SCORE["score"]([wrong], verbose=False)
    assert (score.found, score.right) == (0, 0)
    assert len(score.invented) == 3
