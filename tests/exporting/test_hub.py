"""A run as a folder for a model hub, which evaluates like the run."""

import json

import pytest
from ruamel.yaml import YAML

from ppoc.compiler.output.build import LOCK, compile_spec
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.exporting import hub
from ppoc.exporting.policy import ExportError
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute, load_module
from ppoc.runtime.run.trained import evaluate_run

SHORT = (
    "training.total_steps=256",
    "update={rollout_steps: 128, minibatch_size: 64}",
    "evaluation.episodes=4",
    "env.normalize.observations=true",
)


@pytest.fixture
def run(compiled_of, module_of, tmp_path):
    folder = tmp_path / "run"
    compiled_of("ppo/cartpole", *SHORT).write(folder)
    module = module_of("ppo/cartpole", *SHORT)
    execute(module, folder, mode="quiet")
    return module, folder


def test_the_folder_says_what_the_run_said(run, tmp_path):
    module, folder = run
    out = tmp_path / "hub"
    hub.export(module, folder, out)
    result = json.loads((folder / "result.json").read_text())
    _, front, body = (out / "README.md").read_text().split("---\n", 2)
    card = YAML(typ="safe", pure=True).load(front)
    (metric,) = card["model-index"][0]["results"][0]["metrics"]
    mean, std = result["evaluation"]["mean"], result["evaluation"]["std"]
    assert metric["value"] == f"{mean:.2f} +/- {std:.2f}"
    assert {"reinforcement-learning", "CartPole-v1", "ppo"} <= set(card["tags"])
    assert (out / "spec.yaml").read_text().rstrip() in body
    assert all((out / line.split("`")[1]).is_file() for line in body.splitlines() if "- `" in line)
    kept, metadata = checkpoints.load(checkpoints.latest(out / "checkpoints"))
    assert {name.partition(".")[0] for name in kept} == {"parameters", "observations"}
    assert metadata["steps"] == 256
    # Downloaded, it evaluates to the same returns.
    again = evaluate_run(load_module(out / "module.py"), out)
    assert again._asdict() == pytest.approx(result["evaluation"])


def test_a_folder_that_is_no_run_is_refused(run, tmp_path):
    module, folder = run
    (folder / LOCK).unlink()
    with pytest.raises(ExportError, match=r"lacks spec\.lock\.yaml"):
        hub.export(module, folder, tmp_path / "hub")


def test_a_small_spec_means_what_its_lock_means(variant, compiled_of, tmp_path):
    """Over every branch of the templates: the small spec compiles to the same module."""
    compiled = compiled_of(*variant)
    path = tmp_path / LOCK
    path.write_text(compiled.lock)
    text = hub.compact(resolve(path).spec)
    assert len(text) < len(compiled.lock) / 2
    small = resolve_text(text, "spec.yaml")
    spec = resolve(path).spec.model_dump(exclude={"lock"})
    assert small.spec.model_dump(exclude={"lock"}) == spec
    assert compile_spec(small).module == compiled.module
