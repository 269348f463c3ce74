"""The whole module: its title, its constants, and whether it learns by gradients or by search."""

import textwrap
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from ppoc.compiler.agent.constants import clipped, constants
from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code, prose
from ppoc.compiler.emission.rendering import WIDTH

IMPORTS = (
    "import sys",
    "from collections.abc import Callable",
    "from typing import NamedTuple",
    "import numpy as np",
    "import torch",
    "from torch import Tensor",
)


class Contents(Feature):
    """Title, constants and shapes of a module."""

    plan: Plan

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        return {
            "title": title(plan),
            "shapes_note": shapes_note(plan),
            "constants": list(constants(plan)),
            "shapes": plan.networks.shapes(),
            "initialisers": plan.networks.initialisers(),
            "seed": Code("seed" if plan.spec.training.on_divergence == "rollback" else "SEED"),
            "bounded": self.bounded,
            "required": Code(", required=True" if plan.spec.training.compile == "always" else ""),
            "whole_run": Code("TOTAL_STEPS" if plan.shortens else "NUM_ITERATIONS * BATCH_SIZE"),
            "total_steps": Code(", TOTAL_STEPS" if plan.shortens else ""),
            "steps_taken": Code(
                "min((iteration + 1) * BATCH_SIZE, TOTAL_STEPS)"
                if plan.shortens
                else "(iteration + 1) * BATCH_SIZE"
            ),
            "length": Code("length" if plan.shortens else "ROLLOUT_LENGTH"),
        }

    def bounded(self, actions: str) -> Code:
        """Code that brings actions, given as text, within the environment's bounds."""
        plan = self.plan
        if plan.action_units is not None:
            return Code(f"scale({actions})")
        if clipped(plan):
            return Code(f"np.clip({actions}, ACTION_LOW, ACTION_HIGH)")
        if plan.policy in ("tanh-gaussian", "beta") and not plan.searches:
            return Code(f"scale({actions})")
        return Code(actions)

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": IMPORTS}


class Gradients(Feature):
    """Learning by gradients of a loss."""

    template = "contents/gradients"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches


class CodeFolders(Feature):
    """Folders of code that the spec names."""

    template = "contents/code_folders"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return bool(plan.facts.code_folders)


class Threads(Feature):
    """One thread for torch, where layers are too small to share out."""

    template = "contents/threads"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.single_thread


class Rollback(Feature):
    """Other noise after the run went back to a checkpoint."""

    template = "contents/rollback"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.training.on_divergence == "rollback"


def title(plan: Plan) -> Code:
    """The first lines of the module's docstring."""
    method = "the cross-entropy method" if plan.searches else _method(plan)
    text = f"{plan.spec.name}: {method} on {plan.facts.env_id}, written by ppoc {version('ppoc')}."
    return Code(textwrap.fill(prose(text), WIDTH, initial_indent="   ")[3:])


def _method(plan: Plan) -> str:
    return f"{plan.policy_objective.title} with {estimator_of(plan.spec.advantage).title}"


def shapes_note(plan: Plan) -> Code:
    """The letters of shapes, with their numbers."""
    facts = plan.facts
    rollouts = plan.spec.update.buffer
    buffer = f"K = {rollouts.rollouts} rollouts in the buffer, " if rollouts else ""
    actions = "actions" if facts.action_kind == "discrete" else "action components"
    if plan.policy == "multi-categorical":
        actions = "choices in all"
    size = f"O = {facts.observation_size} observation components, "
    if facts.images:
        size = "C×H×W = {}×{}×{} images, ".format(*facts.shape)
    minibatch = "" if plan.searches else f"M = {plan.minibatch_size} samples a minibatch, "
    text = (
        f"Shapes: T = {plan.rollout_length} time steps a rollout, N = {plan.spec.env.num_envs} "
        f"environments, B = T·N = {plan.batch_size} samples, {buffer}{minibatch}"
        f"{size}"
        f"A = {facts.action_size} {actions}, P = {plan.num_parameters} parameters."
    )
    return Code(textwrap.fill(text, WIDTH))
