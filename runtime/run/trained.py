"""A trained agent: the policy of its newest checkpoint, evaluated and filmed."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ppoc.runtime.declared import agent_of
from ppoc.runtime.envs.spaces import in_any_backend
from ppoc.runtime.evaluation.evaluate import Terms, evaluate_policy
from ppoc.runtime.evaluation.statistics import Summary
from ppoc.runtime.evaluation.video import FILM_STEPS, record
from ppoc.runtime.run.layout import check_policy
from ppoc.runtime.run.saving import load_newest


def evaluate_run(
    module: ModuleType,
    folder: Path,
    *,
    episodes: int | None = None,
    deterministic: bool | None = None,
    seed: int | None = None,
    max_steps: int | None = None,
    num_envs: int | None = None,
) -> Summary:
    """Evaluate the newest checkpoint of a run folder; what is not given is as the module has it.

    A module that makes no evaluations is evaluated over ten episodes.

    Raises:
        RunError: the folder has no checkpoint.
        CheckpointError: no checkpoint of it can be read, or it is not of this module.
    """
    own = agent_of(module)
    policy = load_run_policy(module, folder, deterministic=deterministic, seed=seed)
    seed = own.seed + 1_000_003 if seed is None else seed  # episodes not seen in training
    terms = Terms.of(own, episodes=episodes, max_steps=max_steps, num_envs=num_envs)
    return evaluate_policy(own.environment.make, policy, terms, seed)


def load_run_policy(
    module: ModuleType,
    folder: Path,
    *,
    deterministic: bool | None = None,
    seed: int | None = None,
) -> Any:
    """The policy of the newest checkpoint of a run folder; raises as `evaluate_run` does."""
    own = agent_of(module)
    checkpoint, _ = load_newest(folder)
    check_policy(module, checkpoint)
    if deterministic is None:
        deterministic = own.evaluation.deterministic
    rng = None if deterministic else np.random.default_rng(own.seed if seed is None else seed)
    return own.policy.load(checkpoint, rng)


def film_run(
    module: ModuleType,
    folder: Path,
    path: Path,
    *,
    deterministic: bool | None = None,
    seed: int | None = None,
    max_steps: int | None = None,
    message: Callable[[str], None] | None = None,
) -> Path:
    """Film an episode of the newest checkpoint's policy, in the environment it is evaluated in.

    Args:
        max_steps: after which it is cut; None: as in evaluations, but no later than `FILM_STEPS`.
        message: told how far it is.

    Raises:
        RunError, CheckpointError: as `evaluate_run`.
        VideoError: the environment cannot be rendered here, or the video cannot be written.
    """
    own = agent_of(module)
    env = own.environment
    return record(
        env.id,
        load_run_policy(module, folder, deterministic=deterministic, seed=seed),
        path,
        seed=own.seed if seed is None else seed,
        max_episode_steps=env.max_episode_steps,
        options=env.options,
        # Evaluations do not take the loss of a life for the end of an episode.
        wrappers=[layer for layer in env.wrappers if layer[0] != "EpisodicLife"],
        package=env.package,
        message=message,
        max_steps=max_steps or min(own.evaluation.max_steps, FILM_STEPS),
        # It is rendered by gymnasium, whatever steps the environments of evaluations.
        spaces=(in_any_backend(env.observations), in_any_backend(env.actions)),
    )
