"""The interface of an agent's module agrees with the module, its lock and its manifest."""

import json
from types import ModuleType

import pytest
import yaml

from ppoc.runtime.declared import agent_of, language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.interface import AgentInterface

# Name in a module → the field that holds it, where the module has it.
FIELDS = {
    "NAME": "name",
    "SEED": "seed",
    "DEVICE": "device",
    "ON_DIVERGENCE": "on_divergence",
    "ENV_ID": "environment.id",
    "make_envs": "environment.make",
    "OBSERVATION_SPACE": "environment.observations",
    "ACTION_SPACE": "environment.actions",
    "MAX_EPISODE_STEPS": "environment.max_episode_steps",
    "ENV_OPTIONS": "environment.options",
    "WRAPPERS": "environment.wrappers",
    "ENV_PACKAGE": "environment.package",
    "SHAPES": "policy.shapes",
    "load_policy": "policy.load",
    "actor": "policy.actor",
    "body": "policy.body",
    "new_normalizer": "policy.new_normalizer",
    "STATE_SIZE": "policy.memory",
    "CHOICES": "policy.choices",
    "ACTION_LOW": "policy.low",
    "ACTION_HIGH": "policy.high",
    "ACTION_CENTER": "policy.center",
    "ACTION_SCALE": "policy.scale",
    "NUM_ENVS": "rollouts.num_envs",
    "ROLLOUT_LENGTH": "rollouts.length",
    "BATCH_SIZE": "rollouts.batch_size",
    "collect": "rollouts.collect",
    "draw_noise": "rollouts.draw_noise",
    "BUFFER_ROLLOUTS": "rollouts.kept",
    "Experience": "rollouts.experience",
    "action_log_probs": "rollouts.action_log_probs",
    "draw": "rollouts.draw",
    "new_episodes": "rollouts.new_episodes",
    "EVALUATION_EPISODES": "evaluation.episodes",
    "EVALUATION_DETERMINISTIC": "evaluation.deterministic",
    "EVALUATION_MAX_STEPS": "evaluation.max_steps",
    "EVALUATION_NUM_ENVS": "evaluation.num_envs",
    "initial_parameters": "learning.initial_parameters",
    "initial_learner": "learning.initial_learner",
    "make_batch": "learning.make_batch",
}


def at(found: object, path: str) -> object:
    """The field at a path; None below one that is None."""
    for name in path.split("."):
        found = getattr(found, name) if found is not None else None
    return found


def value_of(lock: dict, key: str) -> object:
    """The value of a lock at a key."""
    for name in key.split("."):
        lock = lock[name]
    return lock


def test_a_field_holds_what_the_module_has_under_its_name(module_of, variant):
    module = module_of(*variant)
    own = agent_of(module)
    assert own.stages == {"train": module.train}
    for name, path in FIELDS.items():
        searched = own.learning is None and path.startswith("learning.")
        if name in vars(module) and not searched:
            assert at(own, path) == vars(module)[name], name
        else:
            assert not at(own, path) or (path, at(own, path)) == ("on_divergence", "stop"), name
    if own.learning is not None:
        objective = "surrogate" if "surrogate" in vars(module) else "loss"
        assert own.learning.objective is vars(module)[objective]
    whole = module.NUM_ITERATIONS * module.BATCH_SIZE
    assert own.total_steps == {"train": vars(module).get("TOTAL_STEPS", whole)}


def test_settings_are_values_of_the_lock_under_its_keys(module_of, compiled_of, variant):
    """They are the same in the module and in the manifest, whose facts are the interface's."""
    compiled, own = compiled_of(*variant), agent_of(module_of(*variant))
    manifest, lock = json.loads(compiled.manifest), yaml.safe_load(compiled.lock)
    assert manifest["settings"] == own.settings
    for key, value in own.settings.items():
        found = value_of(lock, key)
        # YAML 1.1, which this reader reads, has no 1e-05.
        assert (float(found) if isinstance(value, float) else found) == value, key
    assert (manifest["kind"], manifest["total_steps"]) == (own.kind, own.total_steps)
    assert manifest["action_components"] == own.action_components
    assert manifest["features"]


def test_the_arguments_of_an_objective_are_as_training_starts(module_of):
    own = agent_of(module_of("ppo/cartpole"))
    assert own.learning.arguments == (0.2,)  # the clip range, which falls
    assert agent_of(module_of("ppo/halfcheetah")).learning.arguments == ()


def test_a_module_without_an_interface_says_what_to_do():
    module = ModuleType("old")
    module.__file__ = "runs/old/module.py"
    with pytest.raises(RunError, match=r"runs/old/module\.py was written by another"):
        agent_of(module)
    with pytest.raises(RunError, match=r"compile the spec\.lock\.yaml beside it again"):
        language_model_of(module)


def test_an_interface_of_another_version_or_kind_is_refused(module_of):
    from dataclasses import replace

    own = agent_of(module_of("ppo/cartpole"))
    module = ModuleType("newer")
    module.__file__ = "module.py"
    module.INTERFACE = replace(own, version=own.version + 1)
    assert isinstance(module.INTERFACE, AgentInterface)
    with pytest.raises(RunError, match="another version"):
        agent_of(module)
    module.INTERFACE = own
    with pytest.raises(RunError, match="is of kind control, and this is for language models"):
        language_model_of(module)
