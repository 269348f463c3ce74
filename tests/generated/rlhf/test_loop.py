"""Values that the stages' loops hand from part to part, and log, from all calls of a run."""

import csv
import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from ppoc.runtime.run.launch import execute

OVERRIDES = (
    "sft={epochs: 3, optimizer: {lr: 1e-2, schedule: cosine}}",
    "reward={epochs: 2, optimizer: {lr: 3e-3, schedule: linear}}",
    "ppo={episodes: 64, target_kl: 0.002, rewards: {missing_end: null}}",
    "ppo.kl={target: 0.5, beta: 0.1, horizon: 200}",
    "ppo.optimizer={lr: 1e-3, schedule: linear}",
    "evaluation={prompts: 4, samples: 1, every: 2}",
)
RECORDED = ("respond", "score", "token_rewards", "gae", "update_ppo")


@pytest.fixture(scope="module")
def ran(toy_module, tmp_path_factory):
    """The module, its run folder, and the calls of its parts with their results."""
    module, folder, calls = toy_module(*OVERRIDES), tmp_path_factory.mktemp("run"), []

    def record(name, function):
        def called(*arguments, **named):
            result = function(*arguments, **named)
            calls.append((name, arguments, result))
            return result

        return called

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SCALE_SAMPLES", 64)
        for name in RECORDED:
            patch.setattr(module, name, record(name, getattr(module, name)))
        execute(module, folder, device="cpu", mode="quiet")
    return module, folder, calls


def rows(folder, stage):
    with (folder / stage / "metrics.csv").open(newline="") as file:
        return [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]


def evaluated(folder, stage):
    lines = (folder / stage / "evaluations.jsonl").read_text().splitlines()
    return [json.loads(line)["steps"] for line in lines]


def test_rates_follow_their_schedules_and_epochs_end_in_evaluations(ran):
    _, folder, _ = ran
    laws = {
        "sft": lambda share: 0.01 * (1 + math.cos(math.pi * share)) / 2,
        "reward": lambda share: 0.003 * (1 - share),
        "ppo": lambda share: 0.001 * (1 - share),
    }
    for stage, law in laws.items():
        found = rows(folder, stage)
        expected = [law(n / len(found)) for n in range(len(found))]
        assert [row["learning_rate"] for row in found] == pytest.approx(expected)
    for stage, epochs in (("sft", 3), ("reward", 2)):
        steps = [int(row["step"]) for row in rows(folder, stage)]
        assert steps == [*range(1, len(steps) + 1)]
        each = len(steps) // epochs
        assert each > 1
        assert evaluated(folder, stage) == [each * (n + 1) for n in range(epochs)]
    assert [row["step"] for row in rows(folder, "ppo")] == [16, 32, 48, 64]
    assert evaluated(folder, "ppo") == [32, 64]


def test_scores_are_on_the_scale_of_the_first_policys_answers(ran):
    module, _, calls = ran
    name, (_, asked, tokenizer, _), responses = calls[0]
    assert name == "respond"
    assert len(responses) == 64
    model, *_, scale = next(arguments for name, arguments, _ in calls if name == "score")
    scores = module.score(model, asked, responses, tokenizer, scale)
    assert scores.mean().item() == pytest.approx(0, abs=1e-4)
    assert scores.std().item() == pytest.approx(1, abs=1e-4)


def iterations(calls):
    """The calls of each iteration, by name: from the answers that it learns from on."""
    starts = [place for place, (name, *_) in enumerate(calls) if name == "token_rewards"]
    for start, end in pairwise([*starts, len(calls)]):
        answered = [call for call in calls[:start] if call[0] == "respond"][-1:]
        own = {name: [] for name in RECORDED}
        for name, *call in (*answered, *calls[start:end]):
            own[name].append(call)
        yield own


def test_what_is_logged_is_of_the_iteration(ran):
    module, folder, calls = ran
    weight, stopped = module.KL_WEIGHT, []
    for row, own in zip(rows(folder, "ppo"), iterations(calls), strict=True):
        ((scores, log_ratio, mask, kl_weight), _), *_ = own["token_rewards"]
        ((_, _, tokenizer, _), responses), *_ = own["respond"]
        ((_, values, _), advantages), *_ = own["gae"]
        returns = (advantages + values)[mask]
        kl = np.mean(
            [each[marks].sum().item() for each, marks in zip(log_ratio, mask, strict=True)]
        )
        assert row["score"] == pytest.approx(scores.mean().item(), abs=1e-5)
        assert row["kl_to_reference"] == pytest.approx(kl, rel=1e-4, abs=1e-5)
        assert row["response_length"] == pytest.approx(np.mean([len(r) for r in responses]))
        assert row["ended"] == np.mean([r[-1] == tokenizer.end for r in responses])
        explained = 1 - advantages[mask].var() / returns.var()
        assert row["explained_variance"] == pytest.approx(explained.item(), abs=1e-4)
        # [Ziegler] section 2.2, β of this iteration from the divergence in the one before
        assert row["kl_weight"] == kl_weight == pytest.approx(weight)
        weight *= 1 + min(max(kl / 0.5 - 1, -0.2), 0.2) * 16 / 200
        updates = torch.stack([metrics for _, metrics in own["update_ppo"]])
        mean = dict(zip(module.METRICS, updates.mean(0).tolist(), strict=True))
        assert {name: row[name] for name in mean} == pytest.approx(mean, rel=1e-4, abs=1e-6)
        beyond = updates[:, module.METRICS.index("approx_kl")] > 1.5 * 0.002
        assert not beyond[:-1].any()
        assert beyond[-1] or len(updates) == 4
        stopped.append(len(updates) < 4)
    assert any(stopped)
    assert not all(stopped)
