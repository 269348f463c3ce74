"""Optimisers of the update: a step each, and the numbers that it takes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ppoc.compiler.agent.constants import split_epsilon, stepping
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code


class SplitEpsilon(Feature):
    """Another ε for the critic than for the actor."""

    template = "updates/split_epsilon"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and split_epsilon(plan)


class Optimizer(Feature):
    """A rule that makes steps of gradients."""

    kinds: ClassVar[tuple[str, ...]]
    momentum: ClassVar[bool | None] = None
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        if plan.searches or stepping(plan).kind not in cls.kinds:
            return False
        return cls.momentum is None or cls.momentum == (stepping(plan).momentum > 0)


class Adam(Optimizer):
    """Moments of the gradient (Kingma and Ba 2015)."""

    template = "updates/adam"
    kinds = ("adam", "adamw")

    def words(self) -> Mapping[str, Any]:
        note = ", with the weights decaying apart from it [AdamW]"
        return {"decay_note": Code(note if stepping(self.plan).kind == "adamw" else "")}


class AdamStep(Optimizer):
    """Adam's step."""

    template = "updates/adam_step"
    kinds = ("adam",)


class AdamWStep(Optimizer):
    """Adam's step, with the weights decaying apart from it."""

    template = "updates/adamw_step"
    kinds = ("adamw",)


class RmsProp(Optimizer):
    """The mean of squared gradients (Tieleman and Hinton 2012)."""

    template = "updates/rmsprop"
    kinds = ("rmsprop",)


class Momentum(Optimizer):
    """Stochastic gradient descent with momentum."""

    template = "updates/momentum"
    kinds = ("sgd",)
    momentum = True


class Sgd(Optimizer):
    """Stochastic gradient descent."""

    template = "updates/sgd"
    kinds = ("sgd",)
    momentum = False


def optimizer_fields(plan: Plan) -> list[str]:
    """The fields that the optimiser keeps beside the parameters."""
    optimizer = stepping(plan)
    fields = {"adam": ["m", "v", "step"], "adamw": ["m", "v", "step"], "rmsprop": ["v"]}
    return fields.get(optimizer.kind, ["m"] if optimizer.momentum else [])
