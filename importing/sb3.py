"""Models that Stable-Baselines3 saved, as run folders.

The policy takes the same actions, or the model is refused. Settings of its training that a spec
cannot say are comments in it.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ppoc.compiler.agent.env.probe import package_of
from ppoc.compiler.agent.resolved import as_agent
from ppoc.compiler.compact import Note, spec_text
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import Compiled, compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.importing import sb3_fields as fields
from ppoc.importing.hyperparameters import DEFAULTS, sections
from ppoc.importing.sb3_file import Model, Statistics, read_model, read_statistics, refusal
from ppoc.importing.sb3_spaces import LARGEST_PIXEL, check_actions, check_observations, is_image
from ppoc.importing.sb3_weights import as_seen, check_shapes, renamed
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import load_module

__all__ = ["Imported", "convert", "read_statistics", "write"]

SPEC = "imported.yaml"  # in the run folder: the spec with its comments, for people
STACKED = "there, frames before the first of an episode are zeros; here, the first again"
CONVOLUTION = r"(?:\w+_)?features_extractor\.cnn\.0\.weight"


class Imported(NamedTuple):
    """A model as a compiled spec and parameters by ppoc's names, still to be written."""

    text: str  # of the spec, with the comments
    compiled: Compiled
    weights: dict[str, Tensor]
    statistics: Statistics | None
    steps: int
    notes: list[Note]


def convert(
    path: Path,
    env_id: str,
    overrides: list[str] | None = None,
    statistics: Statistics | None = None,
    *,
    trust: bool = False,
) -> Imported:
    """A model file as a spec and parameters.

    Args:
        env_id: what the model acts in, which its file does not say.
        overrides: `key.path=value`, such as how images are resized.
        trust: import code that they name.

    Raises:
        SpecError: E903, it is no model file, of an algorithm or with a policy that ppoc does not
            have, or it does not fit the environment; and what the compiler says of the spec.
    """
    model = read_model(path)
    algorithm, policy = fields.algorithm(model), fields.policy(model)
    images = any(re.fullmatch(CONVOLUTION, name) for name in model.weights)
    entry = fields.settings(model, algorithm, images=images)
    env = _environment(model, env_id, images=images)
    if policy.masked:
        env["action_masks"] = True
    if statistics is not None:
        env["normalize"] = {"observations": True, "clip": statistics.clip}
    num_envs = int(env["num_envs"])
    values = {"env": env, **sections(algorithm, entry, num_envs)}
    actor = values["networks"]["actor"]
    if "log_std" in model.weights and "distribution" not in actor:
        actor["action_scaling"] = "none"  # there, actions are as the environment takes them
    entry.leave(("training",))
    if entry.wrong:
        raise SpecError(entry.wrong)
    if env.get("frame_stack", 1) > 1:
        entry.note(("env", "frame_stack"), STACKED)
    head = [f"The settings of {path.name}, a model of Stable-Baselines3, imported by ppoc."]
    head += [f"Given with it: -s {override}" for override in overrides or []]
    if statistics is None:
        head.append("It does not say whether VecNormalize scaled observations: here, nothing does.")
    name = re.sub(r"[^a-z0-9.-]+", "-", f"{env_id}-{algorithm}".lower()).strip("-.")[:64]
    preset = DEFAULTS[algorithm].preset
    text = spec_text(name or "agent", preset, values, entry.notes, head)
    resolved = as_agent(resolve_text(text, f"{path.name}.yaml", overrides or []))
    compiled = compile_spec(resolved, trust=trust)
    plan = compiled.plan
    weights = renamed(model.weights, shared=bool(plan.networks.shared), expln=policy.expln)
    check_shapes(weights, dict(plan.networks.shapes()))
    check_actions(model.settings.get("action_space"), plan.facts)
    seen = model.settings.get("observation_space")
    pixels = check_observations(seen, plan.facts, resolved.spec.env.frame_stack)
    scaled = is_image(seen) and policy.normalizes_images
    scale = plan.facts.pixel / (LARGEST_PIXEL if scaled else 1)
    weights = as_seen(weights, pixels._replace(scale=scale))
    steps = model.settings.get("num_timesteps")
    done = steps if type(steps) is int and 0 <= steps < 10**12 else 0
    return Imported(text, compiled, weights, statistics, done, entry.notes)


def write(imported: Imported, folder: Path) -> None:
    """Write a run folder that evaluates the model: the compiled files and a checkpoint.

    Raises:
        OSError: the folder cannot be written.
        SpecError: E903, the statistics are of another environment.
    """
    groups: dict[str, Any] = {f"parameters.{k}": v for k, v in imported.weights.items()}
    if imported.statistics is not None:
        size = imported.compiled.plan.facts.observation_size
        mean, var, samples, _ = imported.statistics
        if mean.shape != (size,):
            raise refusal(f"statistics of {len(mean)} components for observations of {size}")
        state = {"mean": mean, "var": var, "count": np.array(int(samples))}
        groups |= {f"observations.{key}": value for key, value in state.items()}
    imported.compiled.write(folder)
    (folder / SPEC).write_text(imported.text, encoding="utf-8")
    load_module(folder / "module.py")  # a module that does not import is no run
    metadata = {"steps": imported.steps, "policy_only": True, "source": "Stable-Baselines3"}
    checkpoints.save(folder / "checkpoints", imported.steps, groups, metadata)


def _environment(model: Model, env_id: str, *, images: bool) -> dict[str, Any]:
    """`env` of a model; of an Atari game, with the preprocessing that its input has."""
    count = model.settings.get("n_envs")
    valid = type(count) is int and 1 <= count <= 100_000
    env: dict[str, Any] = {"id": env_id, "num_envs": count if valid else 1}
    space = model.settings.get("observation_space")
    shape = space.get("_shape") if isinstance(space, dict) else None
    if images and package_of(env_id) == "ale_py" and isinstance(shape, list) and len(shape) == 3:
        env |= {"atari": {"screen_size": shape[1]}, "frame_stack": shape[0]}
    return env
