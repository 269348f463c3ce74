"""Ejected modules: no ppoc in sight, and the same parameters to the bit."""

import ast
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from ppoc.exporting.eject import EjectError, eject
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute, load_module

# Runs a file as a script in a process that cannot import ppoc or what only ppoc needs.
ALONE = """
import importlib.abc, runpy, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"ppoc", "rich", "tensorboard", "pydantic", "typer", "jinja2"}:
            raise ImportError(f"{name} is not to be had here")

sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
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
    file = tmp_path / "ejected.py"
    file.write_text(eject(compiled_of(*variant).module))
    command = [sys.executable, "-c", ALONE, str(file), "--out", str(alone)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
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


def test_every_branch_of_the_templates_can_be_ejected(variant, compiled_of, tmp_path):
    """Each variant imports, and starts from the parameters of its module."""
    compiled = compiled_of(*variant)
    file = tmp_path / "ejected.py"
    file.write_text(eject(compiled.module))
    compiled.write(tmp_path)
    ejected, module = load_module(file), load_module(tmp_path / "module.py")
    assert not hasattr(ejected, "runtime")
    assert torch.equal(ejected.initial_parameters(3), module.initial_parameters(3))


def test_only_what_is_used_comes_along(compiled_of):
    text = eject(compiled_of("ppo/cartpole", "env.num_envs=8").module)
    defined = {node.name for node in ast.parse(text).body if hasattr(node, "name")}
    assert "compile_step" not in defined  # the run is too short to compile
    assert "ObservationNormalizer" not in defined
    assert "import envpool" not in text  # eight CartPoles step in this process
    assert "tensor_envs" not in text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert not str(getattr(node, "module", "") or node.names[0].name).startswith("ppoc")


def test_what_is_no_generated_module_is_refused(compiled_of):
    with pytest.raises(EjectError, match="is it ejected already"):
        eject(eject(compiled_of("ppo/cartpole").module))
    with pytest.raises(EjectError, match="not Python"):
        eject("def")
    with pytest.raises(EjectError, match="has no frobnicate"):
        eject("from ppoc import runtime\nruntime.frobnicate()\n")
