"""Ejected modules: no ppoc installed, and the same parameters to the bit."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.exporting.eject import eject
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute
from rlhf_toy import write_toy

# Runs a file as a script in a process that finds ppoc beside it alone, and not what it needs.
ALONE = """
import importlib.abc, runpy, sys
from pathlib import Path

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"{name} is not to be had here")

REFUSED = sys.argv[1].split(",")
sys.meta_path[:] = [Refuse(), *(x for x in sys.meta_path if "editable" not in repr(x).lower())]
sys.argv = sys.argv[2:]
sys.path.insert(0, str(Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
import ppoc.runtime
assert Path(ppoc.runtime.__file__).is_relative_to(sys.path[0]), ppoc.runtime.__file__
"""
SHORT = ("training.total_steps=256", "evaluation={episodes: 2}")


SPECS = {
    "compiled": ("ppo/pendulum", "training.compile=always"),
    "wrapped": (
        "ppo/cartpole",
        "env={backend: gymnasium, wrappers: [MaskVelocity], frame_stack: 2}",
        "networks={actor: {memory: {size: 8}}, critic: {share: body}}",
    ),
    "envpool": ("ppo/pendulum", "env={num_envs: 16, normalize: {observations: true}}"),
    "trust-region": ("trpo/cartpole",),
    "search": ("cem/cartpole", "env.num_envs=16", "update.rollout_steps=640"),
}
UPDATE = ("update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",)


@pytest.mark.parametrize(
    "name",
    [pytest.param("compiled", marks=pytest.mark.slow), *(n for n in SPECS if n != "compiled")],
)
def test_a_module_runs_without_ppoc_to_the_same_parameters(name, compiled_of, module_of, tmp_path):
    variant = (*SPECS[name], *SHORT, *(UPDATE if name != "search" else ()))
    own, alone = tmp_path / "own", tmp_path / "alone"
    own.mkdir()
    execute(module_of(*variant), own, mode="quiet")
    compiled_of(*variant).write(tmp_path / "ejected")
    eject(tmp_path / "ejected")
    file = tmp_path / "ejected" / "module.py"
    refused = "rich,tensorboard,pydantic,typer,jinja2"
    command = [sys.executable, "-c", ALONE, refused, str(file), "--out", str(alone)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mean return" in done.stdout
    ours, theirs = (
        load_file(checkpoints.latest(folder / "checkpoints") / checkpoints.TENSORS)
        for folder in (own, alone)
    )
    assert ours.keys() == theirs.keys()
    for key, tensor in ours.items():
        assert torch.equal(tensor, theirs[key]), key
    assert (alone / "metrics.csv").read_text().split(",")[0] == "step"
    assert not (alone / "tensorboard").exists()


def test_a_language_models_module_runs_without_ppoc(tmp_path):
    pytest.importorskip("transformers")
    folder = tmp_path / "ejected"
    compile_spec(resolve(write_toy(tmp_path), ["stages=[sft]", "sft.epochs=1"])).write(folder)
    eject(folder)
    command = [sys.executable, "-c", ALONE, "ruamel", str(folder / "module.py"), "--out", "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sft, held out: loss" in done.stdout
    assert (tmp_path / "run" / "sft" / "checkpoints").is_dir()
