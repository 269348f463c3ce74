"""A run that diverges stops, goes back or goes on; what did it can be made again."""

import contextlib
import functools
import itertools
import json
import math
import random
import signal

import pytest
import torch

import crashes
from ppoc.runtime.health import monitor as health
from ppoc.runtime.health.divergence import MAX_ROLLBACKS, DivergenceError
from ppoc.runtime.health.postmortem import dumps, replay
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute, load_module

SHORT = (
    "training.total_steps=1024",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",
    "training.checkpoint_every=256",
    "evaluation.episodes=1",
)
SPECS = {
    "ppo": ("ppo/cartpole",),
    "gaussian": ("ppo/pendulum",),
    "target": ("ppo/cartpole", "update.target_kl=1.0"),
    "trust-region": ("trpo/cartpole",),
    "shared": ("ppo/cartpole", "networks.critic={share: actor}"),
    "memory": ("ppo/cartpole", "networks.actor={memory: {size: 8}, layers: [8]}"),
    "episodes": ("reinforce-baseline/cartpole",),
}


def tensors(folder):
    return checkpoints.load(checkpoints.latest(folder / "checkpoints"))[0]


class Poison:
    """A batch of one iteration has an infinite return or advantage at one sample."""

    def __init__(self, module, monkeypatch, *iterations):
        self.calls = 0
        make_batch = module.make_batch

        def poisoned(*arguments):
            batch = make_batch(*arguments)
            self.calls += 1
            if self.calls in iterations:
                for name in ("advantages", "returns"):
                    column = getattr(batch, name, None)
                    if column is not None:
                        column[torch.unravel_index(torch.tensor(37), column.shape)] = math.inf
            return batch

        monkeypatch.setattr(module, "make_batch", poisoned)


@pytest.mark.parametrize("name", SPECS)
def test_the_update_that_diverged_is_kept_and_diverges_again(
    module_of, tmp_path, monkeypatch, name
):
    """Sample 37 is in one minibatch of each epoch; that of the first epoch is the one kept."""
    module = module_of(*SPECS[name], *SHORT)
    Poison(module, monkeypatch, 6)
    with pytest.raises(
        DivergenceError, match=r"step 768; the last good checkpoint is .*512\n"
    ) as e:
        execute(module, tmp_path, mode="quiet")
    assert "--replay" in str(e.value)
    (dump,) = dumps(tmp_path)
    kept, metadata = checkpoints.load(dump)
    assert metadata["update"] <= metadata["updates"] // 2 + 1
    assert sum(int((~x.isfinite()).sum()) for k, x in kept.items() if k.startswith("batch.")) > 0
    assert all(x.isfinite().all() for k, x in kept.items() if k.startswith("learner."))
    for one in replay(module, dump):
        assert one.diverged
        assert one.first is not None
    event = list(health.read(tmp_path))[-1]
    assert (event["event"], event["step"]) == ("divergence", 768)
    assert all(x.isfinite().all() for x in tensors(tmp_path).values() if x.is_floating_point())


def test_an_exploded_divergence_stops_the_run_and_happens_again(module_of, tmp_path):
    module = module_of("ppo/pendulum", "optimizer.actor.lr=1.0", *SHORT)
    with pytest.raises(DivergenceError, match="approx_kl became"):
        execute(module, tmp_path, mode="quiet")
    first, second = replay(module, dumps(tmp_path)[0])
    assert first.diverged
    assert second.diverged
    assert (first.dtype, second.dtype) == ("float32", "float64")


def test_a_damaged_or_foreign_dump_is_one_error(module_of, tmp_path, monkeypatch):
    module = module_of("ppo/cartpole", *SHORT)
    Poison(module, monkeypatch, 6)
    with pytest.raises(DivergenceError):
        execute(module, tmp_path, mode="quiet")
    (dump,) = dumps(tmp_path)
    other = module_of("ppo/pendulum", *SHORT)
    with pytest.raises(checkpoints.CheckpointError, match="no update of this module"):
        list(replay(other, dump))
    path = dump / checkpoints.TENSORS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(checkpoints.CheckpointError):
        list(replay(module, dump))


@pytest.mark.parametrize("name", SPECS)
def test_continue_leaves_out_the_updates_that_are_not_finite(
    module_of, tmp_path, monkeypatch, name
):
    module = module_of(*SPECS[name], *SHORT, "training.on_divergence=continue")
    Poison(module, monkeypatch, 6)
    result = execute(module, tmp_path, mode="quiet")
    assert result.steps == 1024
    assert all(x.isfinite().all() for x in tensors(tmp_path).values() if x.is_floating_point())
    assert (
        "continue" in (tmp_path / "metrics.csv").read_text()
        or "skipped" in (tmp_path / "metrics.csv").read_text()
    )


def test_continue_changes_nothing_where_all_is_finite(module_of, tmp_path):
    """The same parameters to the bit as with stop; one metric more."""
    ends = []
    for choice in ("stop", "continue"):
        folder = tmp_path / choice
        folder.mkdir()
        execute(
            module_of("ppo/cartpole", *SHORT, f"training.on_divergence={choice}"),
            folder,
            mode="quiet",
        )
        ends.append(tensors(folder))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_rollback_goes_back_with_other_noise_the_same_way_each_time(
    module_of, tmp_path, monkeypatch
):
    module = module_of("ppo/cartpole", *SHORT, "training.on_divergence=rollback")
    ends = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patch:
            Poison(module, patch, 6)
            assert execute(module, folder, mode="quiet").steps == 1024
        ends.append(tensors(folder))
        _, metadata = checkpoints.load(checkpoints.latest(folder / "checkpoints"))
        assert metadata["rollbacks"] == 1
        assert [x["event"] for x in health.read(folder)].count("divergence") == 1
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    plain = tmp_path / "plain"
    plain.mkdir()
    execute(module, plain, mode="quiet")
    assert not torch.equal(tensors(plain)["optimizer.m"], ends[0]["optimizer.m"])


def test_rollbacks_end(module_of, tmp_path, monkeypatch):
    module = module_of("ppo/cartpole", *SHORT, "training.on_divergence=rollback")
    Poison(module, monkeypatch, *range(6, 100))
    with pytest.raises(DivergenceError, match=f"went back {MAX_ROLLBACKS} times"):
        execute(module, tmp_path, mode="quiet")
    assert len([x for x in health.read(tmp_path) if x["event"] == "divergence"]) == 4
    assert json.loads((tmp_path / "health.jsonl").read_text().splitlines()[0])


def spoil(module, monkeypatch, field, update):
    """The so manieth update leaves a NaN in a field of the learner; its metrics are well."""
    step = module.update

    @functools.wraps(step)
    def spoilt(learner, *arguments, **named):
        after, *others = step(learner, *arguments, **named)
        if int(after.step) == update:
            values = getattr(after, field).clone()
            values[5] = math.nan
            after = after._replace(**{field: values})
        return after, *others

    monkeypatch.setattr(module, "update", spoilt)


def test_parameters_that_the_last_update_of_an_iteration_lost_are_noticed_at_once(
    module_of, tmp_path, monkeypatch
):
    """Four updates an iteration: the 24th is the last of the sixth, whose metrics are finite."""
    module = module_of("ppo/cartpole", *SHORT)
    spoil(module, monkeypatch, "params", 24)
    with pytest.raises(DivergenceError, match=r"a parameter became nan at step 768; .*000512\n"):
        execute(module, tmp_path, mode="quiet")
    (dump,) = dumps(tmp_path)
    kept, metadata = checkpoints.load(dump)
    assert (metadata["update"], metadata["updates"]) == (4, 4)
    assert all(x.isfinite().all() for x in kept.values() if x.is_floating_point())
    assert all(one.diverged for one in replay(module, dump))


@pytest.mark.parametrize("choice", ["stop", "rollback", "continue"])
def test_what_is_not_finite_is_never_saved(module_of, tmp_path, monkeypatch, choice):
    """Adam's moments are in no metric; a checkpoint with such could not be resumed."""
    module = module_of("ppo/cartpole", *SHORT, f"training.on_divergence={choice}")
    spoil(module, monkeypatch, "v", 24)
    with pytest.raises(DivergenceError, match=r"optimizer\.v became nan at step 768; .*000512"):
        execute(module, tmp_path, mode="quiet")
    names = [path.name for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert names == ["step-000000000256", "step-000000000512"]
    assert all(x.isfinite().all() for x in tensors(tmp_path).values() if x.is_floating_point())
    divergences = [x for x in health.read(tmp_path) if x["event"] == "divergence"]
    assert len(divergences) == (1 + MAX_ROLLBACKS if choice == "rollback" else 1)


# Data decide whether an iteration diverges, so that other noise helps, and the same noise does not.
UNLUCKY = """

_make_batch = make_batch


def make_batch(params, *arguments):
    batch = _make_batch(params, *arguments)
    if int(batch.observations.double().sum().abs() * 1e6) % MODULUS == RESIDUE:
        batch.advantages[3] = torch.inf
    return batch
"""


@pytest.fixture(scope="module")
def unlucky(compiled_of, tmp_path_factory):
    """A module whose run goes back twice or more and ends well, its folder, changes of files."""
    folder = tmp_path_factory.mktemp("unlucky")
    overrides = ("training.on_divergence=rollback", "training.compile=never")
    compiled_of("ppo/cartpole", *SHORT, *overrides).write(folder)
    path = folder / "module.py"
    start, main, end = path.read_text().rpartition("\n\nif __name__")
    for modulus, residue in itertools.product(range(4, 8), range(4)):
        luck = UNLUCKY.replace("MODULUS", str(modulus)).replace("RESIDUE", str(residue))
        path.write_text(start + luck + main + end)
        tried = tmp_path_factory.mktemp("tried")
        with contextlib.suppress(DivergenceError):
            execute(load_module(path), tried, device="cpu", mode="quiet")
            if rollbacks(tried) > 1:
                break
    changes = crashes.durable_changes(path, folder / "whole")
    return path, folder / "whole", changes


def rollbacks(folder):
    return checkpoints.load(checkpoints.latest(folder / "checkpoints"))[1].get("rollbacks", 0)


def killed_at(unlucky, folder, place):
    """Kill the run before one change of files, resume it, and compare with the one that was not."""
    module, whole, _ = unlucky
    assert crashes.finish(module, folder, die_at=place) == -signal.SIGKILL
    assert crashes.finish(module, folder, resume=True) == 0
    assert crashes.ending(folder) == crashes.ending(whole), place
    assert rollbacks(folder) == rollbacks(whole), place
    assert list(health.read(folder)) == list(health.read(whole)), place


def test_a_rollback_that_is_killed_ends_as_if_it_was_not(unlucky, tmp_path):
    _, whole, changes = unlucky
    assert rollbacks(whole) > 1
    for place in random.Random(0).sample(range(changes), 4):
        killed_at(unlucky, tmp_path / str(place), place)


@pytest.mark.slow
def test_a_rollback_that_is_killed_anywhere_ends_as_if_it_was_not(unlucky, tmp_path):
    for place in range(unlucky[2]):
        killed_at(unlucky, tmp_path / str(place), place)
