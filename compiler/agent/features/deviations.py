"""Standard deviations of Gaussian actions."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ppoc.compiler.agent.networks.distributions import GAUSSIANS
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code


class StandardDeviation(Feature):
    """How the deviation of a Gaussian comes about."""

    std: ClassVar[str]
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        if plan.searches or plan.policy not in GAUSSIANS:
            return False
        free = plan.distribution.free_std
        kind = "gsde" if plan.networks.std == "gsde" else "independent" if free else "dependent"
        return kind == cls.std

    def words(self) -> Mapping[str, Any]:
        inputs = self.plan.distribution.of("inputs")
        return {"parenthesised_dist": inputs}


class IndependentStd(StandardDeviation):
    """A parameter for each component."""

    template = "distributions/independent_std"
    std = "independent"

    def words(self) -> Mapping[str, Any]:
        numpy = self.plan.networks.acts_in_numpy
        return {
            "parenthesised_dist": Code(f"({self.plan.distribution.of('inputs')})"),
            "std_of_sample": Code('weights["log_std"]' if numpy else "log_std"),
        }


class StateDependentStd(StandardDeviation):
    """An output of the actor."""

    template = "distributions/state_dependent_std"
    std = "dependent"


class Gsde(StandardDeviation):
    """Noise as a function of the state (Raffin et al. 2022)."""

    template = "distributions/gsde"
    std = "gsde"

    def words(self) -> Mapping[str, Any]:
        networks = self.plan.networks
        head, numpy = networks.actor.head, networks.acts_in_numpy
        last = networks.numpy_actor(stacked=False)["last"] if numpy else ""
        drawn = f"mean + ({last}[:, None] @ directions)[:, 0]"
        return {
            **super().words(),
            "exploring_features": networks.exploring_features,
            "mean_of_hidden": Code(head.affine("hidden", "torch")),
            "moved": Code(drawn if numpy else "moved.numpy(force=True)"),
        }


class GsdeOnce(Feature):
    """One draw of directions a rollout."""

    template = "distributions/gsde_once"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return Gsde.applies(plan) and plan.spec.networks.actor.resample_every is None


class GsdeResampled(Feature):
    """Directions that are drawn anew every few steps."""

    template = "distributions/gsde_resampled"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return Gsde.applies(plan) and plan.spec.networks.actor.resample_every is not None
