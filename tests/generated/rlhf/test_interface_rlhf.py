"""The interface of a language model's module agrees with the module, its lock and its manifest."""

import json
from pathlib import Path

import pytest
import yaml

from ppoc.runtime.declared import agent_of, language_model_of
from ppoc.runtime.errors import RunError
from rlhf_toy import VARIANTS

pytest.importorskip("transformers")

# Name in a module → the field that holds it, where the module has it.
FIELDS = {
    "NAME": "name",
    "SEED": "seed",
    "DEVICE": "device",
    "FOLDER": "data.folder",
    "LIMITS": "data.limits",
    "HELD_OUT": "data.held_out",
    "DEMONSTRATIONS": "data.demonstrations",
    "PREFERENCES": "data.preferences",
    "PROMPTS": "data.prompts",
    "make_model": "model.make",
    "load_policy": "model.load_policy",
    "add_lora": "model.add_lora",
    "START_POLICY": "model.start",
    "START_REWARD": "model.start_reward",
    "MAX_NEW_TOKENS": "generation.max_new_tokens",
    "TEMPERATURE": "generation.temperature",
    "EVALUATION_PROMPTS": "evaluation.prompts",
    "EVALUATION_SAMPLES": "evaluation.samples",
    "EVALUATION_TEMPERATURE": "evaluation.temperature",
    "EVALUATE_EVERY": "evaluation.every",
}
ALL = {**VARIANTS, "one-stage": ("stages=[sft]",)}


@pytest.fixture(params=ALL)
def module(request, toy_module):
    return toy_module(*ALL[request.param])


def at(found, path):
    """The field at a path; None below one that is None."""
    for name in path.split("."):
        found = getattr(found, name) if found is not None else None
    return found


def test_a_field_holds_what_the_module_has_under_its_name(module):
    own, names = language_model_of(module), vars(module)
    trained = {stage: names[f"train_{stage}"] for stage in own.stages}
    assert dict(own.stages) == trained
    assert len(trained) == sum(name.startswith("train_") for name in names)
    for name, path in FIELDS.items():
        assert at(own, path) == names.get(name), name
    assert own.model.dtype == names.get("DTYPE", "float32")
    assert own.model.reference == names.get("REFERENCE", "sft")
    ppo = {"ppo": module.NUM_ITERATIONS * module.ROLLOUT_SIZE} if "ppo" in trained else {}
    assert own.total_steps == ppo


def test_settings_are_values_of_the_lock_under_its_keys(module):
    own, folder = language_model_of(module), Path(module.__file__).parent
    manifest = json.loads((folder / "manifest.json").read_text())
    lock = yaml.safe_load((folder / "spec.lock.yaml").read_text())
    assert manifest["settings"] == own.settings
    for key, value in own.settings.items():
        found = lock
        for name in key.split("."):
            found = found[name]
        # YAML 1.1, which this reader reads, has no 1e-05.
        assert (float(found) if isinstance(value, float) else found) == value, key
    assert (manifest["kind"], manifest["total_steps"]) == ("rlhf", own.total_steps)


def test_it_is_no_agent(toy_module):
    with pytest.raises(RunError, match="is of kind rlhf, and this is for agents"):
        agent_of(toy_module())
