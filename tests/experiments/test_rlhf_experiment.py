"""An experiment on language models, from the spec to the comparison."""

import json
import math

import pytest

from ppoc.formats.experiment import read
from rlhf_toy import write_toy

SPEC = """\
ppoc: 1
kind: experiment
name: toy-rates
question: Does a higher rate of PPO help?
base: toy.yaml
set: {sft.epochs: 1, reward.epochs: 1, ppo.episodes: 32, training.device: cpu}
variants:
  plain: {}
  fast: {ppo.optimizer.lr: 0.01}
seeds: 2
"""


@pytest.fixture
def rates(tmp_path):
    pytest.importorskip("transformers")
    write_toy(tmp_path)
    (tmp_path / "rates.yaml").write_text(SPEC)
    return "rates.yaml"


def test_language_models_are_checked_and_explained(ppoc, rates):
    checked = ppoc("check", rates)
    assert checked.code == 0, checked.err
    shown = ppoc("explain", rates)
    assert shown.code == 0, shown.err
    assert "fast: ppo.optimizer.lr: 0.001 → 0.01" in shown.out
    assert "4 runs of 32 episodes each, 128 episodes in all" in shown.out


@pytest.mark.slow
def test_language_models_are_run_and_compared_by_their_scores(ppoc, rates, tmp_path):
    done = ppoc("run", rates, timeout=600)
    assert done.code == 0, done.err
    assert "Does a higher rate of PPO help? too little evidence on fast: " in done.out
    folder = tmp_path / "runs" / "toy-rates-1"
    runs = read(folder).runs
    assert [run.state for run in runs] == ["finished"] * 4
    for run in runs:
        after = json.loads((folder / run.run / "result.json").read_text())["evaluation"]["after"]
        assert run.score is not None
        assert math.isfinite(run.score)
        assert run.score == after["score"]
    shown = ppoc("compare", folder)
    assert shown.code == 0, shown.err
    assert "mean score of the final evaluation" in shown.out
    assert ppoc("run", folder, "--resume").code == 0
