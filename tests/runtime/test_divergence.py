"""A run that diverges stops, goes back or goes on; what did it can be made again."""

import json
import math

import pytest
import torch

from ppoc.runtime import checkpoint as checkpoints
from ppoc.runtime import health
from ppoc.runtime.divergence import MAX_ROLLBACKS, DivergenceError
from ppoc.runtime.launch import execute
from ppoc.runtime.postmortem import dumps, replay

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
