"""Trust regions: the policy's step along the natural gradient (Schulman et al. 2015)."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.features.losses import objective_fields
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.schedules import scheduled
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code


class TrustRegion(Feature):
    """A step of the policy before the critic's updates."""

    template = "trust_regions/trust_region"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.optimizer.trust_region is not None

    def words(self) -> Mapping[str, Any]:
        of_loss = [row.argument for row in scheduled(self.plan) if row.of_loss]
        multiply = Code("multiply: Callable[..., Tensor] = fisher_product")
        required = ", required=True" if self.plan.spec.training.compile == "always" else ""
        product = "fisher_product"
        if self.plan.compile_fisher:
            product = f"run.compile(fisher_product{required})"
        return {
            "product_of_fisher": Code(product),
            "step_arguments": [*of_loss, Code("multiply")],
            "typed_step_arguments": [*(Code(f"{name}: Tensor") for name in of_loss), multiply],
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        names = ("grad", "grad_and_value", "jvp")
        return {"imports": [f"from torch.func import {name}" for name in names]}


class TrustRegionStep(TrustRegion):
    """Functions of that step."""

    template = "trust_regions/trust_region_step"

    def words(self) -> Mapping[str, Any]:
        return {}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"learning_fields": objective_fields(self.plan, "surrogate")}
