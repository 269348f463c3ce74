"""Actions in units of their bounds, and how many are at one."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.constants import clipped
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.constants import Setting
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code


class Scaling(Feature):
    """Actions in units of their bounds."""

    plan: Plan

    def lists(self) -> Mapping[str, Sequence[Any]]:
        chosen = self.plan.spec.networks.actor.action_scaling
        return {"settings": [Setting("networks.actor.action_scaling", chosen)]}


class HostScaling(Scaling):
    """Actions that are counted from the middle of the bounds."""

    template = "action_scaling/host_scaling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.action_units is not None and not (plan.device_rollout or plan.searches)


class DeviceScaling(Scaling):
    """The same, on the device."""

    template = "action_scaling/device_scaling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.action_units is not None and plan.device_rollout


class SearchScaling(Scaling):
    """Outputs of a search, counted from the middle of the bounds."""

    template = "action_scaling/search_scaling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.action_units is not None and plan.searches


class ActionsAtBound(Feature):
    """The share of actions that are at a bound."""

    template = "action_scaling/actions_at_bound"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and (clipped(plan) or plan.action_units is not None)

    def words(self) -> Mapping[str, Any]:
        scaled = self.plan.action_units is not None
        return {"taken_actions": Code("scale(rollout.actions)" if scaled else "rollout.actions")}
