"""The course of training: schedules, values that follow the KL divergence, evaluations."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.schedules import follows_kl, scheduled
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code


class Schedules(Feature):
    """Values that change over a run."""

    template = "course/schedules"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches

    def words(self) -> Mapping[str, Any]:
        rows = scheduled(self.plan)
        lines = [line for row in rows for line in row.lines]
        before = []
        if any("remaining" in line for line in lines):
            before.append(Code("remaining = 1 - iteration / NUM_ITERATIONS"))
        if any("progress" in line for line in lines):
            before.append(Code("progress = iteration / NUM_ITERATIONS"))
        return {"scheduled": rows, "schedule_lines": [*before, *lines]}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        lines = [line for row in scheduled(self.plan) for line in row.lines]
        return {"imports": ["import math"] if any("math.cos" in line for line in lines) else []}


class Adaptive(Feature):
    """Values that follow the KL divergence."""

    template = "course/adaptive"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and follows_kl(plan)

    def words(self) -> Mapping[str, Any]:
        return {"adaptive": [row for row in scheduled(self.plan) if row.adaptive]}


class Evaluation(Feature):
    """Evaluations on the way, of the policy's modes."""

    template = "course/evaluation"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        wanted = plan.evaluates_on_the_way and plan.spec.evaluation.deterministic
        return wanted and not plan.device_rollout and not plan.searches


class SampledEvaluation(Feature):
    """Evaluations on the way, of sampled actions."""

    template = "course/sampled_evaluation"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        wanted = plan.evaluates_on_the_way and not plan.spec.evaluation.deterministic
        return wanted and not plan.device_rollout and not plan.searches


class DeviceEvaluation(Feature):
    """Evaluations on the way, with parameters from the device."""

    template = "course/device_evaluation"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        wanted = plan.evaluates_on_the_way and plan.spec.evaluation.deterministic
        return wanted and plan.device_rollout


class DeviceSampledEvaluation(Feature):
    """The same, of sampled actions."""

    template = "course/device_sampled_evaluation"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        wanted = plan.evaluates_on_the_way and not plan.spec.evaluation.deterministic
        return wanted and plan.device_rollout


class OwnEnvironments(Feature):
    """Evaluations in environments of their own."""

    template = "course/own_environments"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.shares_envs


class SharedEnvironments(Feature):
    """Evaluations in the environments of training."""

    template = "course/shared_environments"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.shares_envs and not plan.searches


class SearchedEnvironments(Feature):
    """Evaluations in the environments of a search, which begins anew in each generation."""

    template = "course/searched_environments"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.shares_envs and plan.searches


class NewEpisodes(Feature):
    """Episodes that begin anew after an evaluation in their environments."""

    template = "course/new_episodes"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return SharedEnvironments.applies(plan) and plan.spec.update.sampling != "episodes"
