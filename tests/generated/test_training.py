"""Generated modules train, in every branch of the templates, and runs resume exactly."""

import csv
import functools
import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from ppoc.runtime.errors import RunError
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.trained import evaluate_run

SHORT = ("training.total_steps=512", "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}")
RESUMABLE = ("training.total_steps=1024", *SHORT[1:], "training.checkpoint_every=256")


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def last_tensors(folder):
    tensors, _ = checkpoints.load(checkpoints.latest(folder / "checkpoints"))
    return tensors


def short(name):
    """Overrides for four short iterations; a search has no minibatches."""
    if "cem" in name:
        return ("training.total_steps=512", "update.rollout_steps=128", "env.num_envs=16")
    return SHORT


def test_every_variant_trains_with_finite_losses(module_of, variant, tmp_path):
    module = module_of(*variant, *short(variant[0]), "evaluation.episodes=2")
    before = module.initial_parameters(module.SEED)
    result = execute(module, tmp_path, device="cpu", mode="quiet")
    assert result.steps == 512
    assert result.evaluation is not None
    assert result.evaluation.episodes == 2
    assert len(rows(tmp_path)) == 4
    for row in rows(tmp_path):
        names = getattr(module, "METRICS", ("mean_score", "best_score", "mean_std"))
        assert all(math.isfinite(float(row[name])) for name in names)
    tensors = last_tensors(tmp_path)
    parameters = {
        name.removeprefix("parameters."): tensor
        for name, tensor in tensors.items()
        if name.startswith("parameters.")
    }
    after = module.runtime.flatten(parameters, module.SHAPES)
    assert not torch.equal(before, after)


def test_same_seed_same_run_and_another_seed_another(module_of, tmp_path):
    states = []
    for index, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(index)
        folder.mkdir()
        execute(module_of("ppo/halfcheetah", *SHORT, f"training.seed={seed}"), folder, mode="quiet")
        states.append(last_tensors(folder))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["optimizer.m"], states[2]["optimizer.m"])


def test_sigint_leaves_a_checkpoint_and_resume_finishes(compiled_of, tmp_path):
    steps = ("training.total_steps=400_000", *SHORT[1:])
    compiled_of("ppo/cartpole", *steps).write(tmp_path)
    command = [sys.executable, tmp_path / "module.py", "--out", tmp_path]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "metrics.csv").exists() or len(rows(tmp_path)) < 3:
        time.sleep(0.1)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    saved = checkpoints.latest(tmp_path / "checkpoints")
    assert saved is not None
    assert int(rows(tmp_path)[-1]["step"]) == int(saved.name.removeprefix("step-"))
    assert not json.loads((tmp_path / "result.json").read_text())["finished"]


def test_a_non_finite_loss_stops_the_run_and_names_the_checkpoint(module_of, tmp_path):
    module = module_of("ppo/cartpole", *RESUMABLE)
    update = module.update
    calls = 0

    @functools.wraps(update)
    def poisoned(learner, *arguments):
        nonlocal calls
        calls += 1
        learner, metrics = update(learner, *arguments)
        return learner, metrics * (math.nan if calls > 20 else 1)

    module.update = poisoned
    try:
        with pytest.raises(RunError, match=r"policy_loss became nan.*step-000000000512"):
            execute(module, tmp_path, mode="quiet")
    finally:
        module.update = update


def test_an_unforeseen_error_is_one_message_and_a_traceback_on_disk(module_of, tmp_path):
    module = module_of("ppo/cartpole", *RESUMABLE)
    collect, module.collect = module.collect, None
    try:
        with pytest.raises(RunError, match=r"TypeError.*error\.txt\)\nno checkpoint was saved yet"):
            execute(module, tmp_path, mode="quiet")
    finally:
        module.collect = collect
    assert "Traceback" in (tmp_path / "error.txt").read_text()


def test_two_runs_never_share_a_folder(module_of, tmp_path):
    from ppoc.runtime.run.run import Run

    with Run(tmp_path), pytest.raises(RunError, match="another run"):
        Run(tmp_path)


def test_evaluation_uses_the_statistics_of_training(module_of, tmp_path):
    """Other statistics give other actions: they are a part of the policy."""
    module = module_of("ppo/halfcheetah", *SHORT)
    execute(module, tmp_path, mode="quiet")
    checkpoint = {"parameters": {}, "observations": {}}
    for name, tensor in last_tensors(tmp_path).items():
        group, _, key = name.partition(".")
        checkpoint.setdefault(group, {})[key] = tensor
    observations = torch.randn(5, 17).numpy()
    trained = module.load_policy(checkpoint)(observations)
    checkpoint["observations"]["mean"] = checkpoint["observations"]["mean"] + 1
    assert abs(module.load_policy(checkpoint)(observations) - trained).max() > 1e-3
    assert evaluate_run(module, tmp_path, episodes=2) == evaluate_run(module, tmp_path, episodes=2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_is_one_error(module_of, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError):
        execute(module_of("ppo/cartpole", *SHORT), tmp_path, mode="quiet")


def test_adaptive_values_follow_the_divergence_and_resume(module_of, tmp_path):
    """β doubles or halves, a rate falls or rises, by what the update did; both are resumed."""
    target = "losses.policy.kl_target=1e-9"  # every update moves further than that
    module = module_of("ppo-kl-adaptive/cartpole", *RESUMABLE, target)
    execute(module, tmp_path, mode="quiet")
    weights = [float(row["kl_weight"]) for row in rows(tmp_path)]
    assert weights == [2.0 ** (n + 1) for n in range(8)]
    assert last_tensors(tmp_path)["adaptive.kl_weight"].item() == weights[-1]
    for target, factor in ((1.0, 1.5), (1e-9, 1 / 1.5)):
        name = f"optimizer.actor.kl_target={target}"
        module = module_of("vpg-adaptive/cartpole", *SHORT, name)
        folder = tmp_path / str(target)
        folder.mkdir()
        execute(module, folder, mode="quiet")
        rates = [float(row["learning_rate"]) for row in rows(folder)]
        assert rates == pytest.approx([3e-3 * factor ** (n + 1) for n in range(4)])
