"""A last iteration that is shorter than the others: trained, resumed, in one compiled shape."""

import csv
import json
import shutil

import pytest
import torch

from ppoc.runtime.learning.structure import flat
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run import run as running
from ppoc.runtime.run.launch import execute

TINY = (
    "training={total_steps: 440, checkpoint_every: 128, compile: never}",
    "update={rollout_steps: 128, minibatch_size: 32, epochs: 2}",
    "evaluation={episodes: 2}",
)
NORMALIZED = "env.normalize={observations: true, rewards: true}"
SPECS = {
    "gymnasium": ("ppo/cartpole", *TINY, NORMALIZED, "env.backend=gymnasium"),
    "early stop": ("ppo/pendulum", *TINY, "env.num_envs=8", "update.target_kl=0.05"),
    "adaptive": ("ppo-kl-adaptive/cartpole", *TINY),
    "falling": ("ppo/cartpole", *TINY, "losses.policy.schedule=linear"),
    "q": ("q-actor-critic/cartpole", *TINY, "env.id=Pendulum-v1"),
    "memory": (
        "ppo/cartpole",
        *TINY,
        "networks.actor={memory: {kind: gru, size: 8}, layers: [8]}",
        "update.sequence_length=4",
    ),
    "device": ("ppo/pendulum", *TINY, NORMALIZED, "training.device=cuda", "env.num_envs=8"),
}


def tensors_of(folder):
    return checkpoints.load(checkpoints.latest(folder / "checkpoints"))[0]


@pytest.mark.parametrize("name", SPECS)
def test_a_run_takes_its_steps_and_is_resumed_before_the_last_of_them(module_of, name, tmp_path):
    module = module_of(*SPECS[name])
    whole, again = tmp_path / "whole", tmp_path / "again"
    whole.mkdir()
    result = execute(module, whole, device="cpu", mode="quiet")
    assert result.steps == 448 == json.loads((whole / "result.json").read_text())["steps"]
    with (whole / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [128, 256, 384, 448]
    assert all(float(row["grad_norm"]) > 0 for row in rows)
    assert execute(module, whole, device="cpu", resume=True, mode="quiet").earlier

    (whole / "result.json").unlink()
    shutil.copytree(whole, again)
    result = execute(module, whole, device="cpu", resume=True, mode="quiet")
    assert (result.steps, result.earlier) == (448, False)
    shutil.rmtree(checkpoints.latest(again / "checkpoints"))
    execute(module, again, device="cpu", resume=True, mode="quiet")
    first, second = tensors_of(whole), tensors_of(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["gymnasium", "memory", "device"])
def test_a_compiled_function_is_given_one_shape(module_of, name, tmp_path, monkeypatch):
    """Its rows beyond those of a short batch are read by no minibatch."""
    shapes = {}

    def compile_step(function, *_, **__):
        def call(*arguments):
            layout = [tuple(x.shape) for x in flat(arguments)]
            assert shapes.setdefault(function.__name__, layout) == layout
            result = function(*arguments)
            if function.__name__ == "update":
                learner, batch, indices, *more = arguments
                spoilt = type(batch)(*(x.clone() for x in batch))
                unread = torch.ones(len(batch[0]), dtype=torch.bool)
                unread[indices] = False
                for column in spoilt:
                    column[unread] = 1 if column.dtype == torch.bool else 7
                again = function(learner, spoilt, indices, *more)
                assert torch.equal(again[0].params, result[0].params)
            return result

        return call

    monkeypatch.setattr(running, "compile_step", compile_step)
    module = module_of(*SPECS[name], "training.compile=always")
    assert execute(module, tmp_path, device="cpu", mode="quiet").steps == 448
    assert "update" in shapes
