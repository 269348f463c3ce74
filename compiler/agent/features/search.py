"""The cross-entropy method, in the place of gradients."""

from collections.abc import Mapping
from typing import Any

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code


class Search(Feature):
    """The cross-entropy method (Szita and Lőrincz 2006)."""

    template = "search/search"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.searches

    def words(self) -> Mapping[str, Any]:
        discrete = self.plan.facts.action_kind == "discrete"
        output = self.plan.networks.numpy_actor(stacked=True)["output"]
        return {
            "actions_shape": Code("[N], int64," if discrete else "[N, A]"),
            "best_action": Code(f"np.argmax({output}, axis=-1)" if discrete else output),
        }


class SearchMetrics(Search):
    """Scores of a generation."""

    template = "search/search_metrics"

    def words(self) -> Mapping[str, Any]:
        return {}


class SearchEvaluation(Feature):
    """Evaluations on the way, of the mean of a search."""

    template = "search/search_evaluation"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.searches and plan.evaluates_on_the_way
