"""Rollouts on the device: environments, policy and statistics as tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.constants import clipped
from ppoc.compiler.agent.features.rollouts import EpisodeSampling
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.schedules import follows_kl
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code

CHUNKS = "state, rollout = collect_in_chunks("


class DeviceEnvironments(Feature):
    """Environments on the device."""

    template = "device_rollouts/device_environments"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": ["from ppoc.runtime import tensor_envs, tensor_statistics"]}


class DeviceEpisodes(Feature):
    """Returns and lengths of episodes, on the device."""

    template = "device_rollouts/device_episodes"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout


class DeviceEpisodeSampling(EpisodeSampling):
    """New episodes in each iteration, on the device."""

    template = "device_rollouts/device_episode_sampling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return super().applies(plan) and plan.device_rollout


class DeviceContinuing(Feature):
    """Episodes that go on, on the device."""

    template = "device_rollouts/device_continuing"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout and not EpisodeSampling.applies(plan)


class DeviceGenerator(Feature):
    """Random numbers on the device."""

    template = "device_rollouts/device_generator"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout


class CompiledRollout(Feature):
    """Rollouts compiled, some time steps at a time."""

    template = "device_rollouts/compiled_rollout"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.compile_rollout

    def words(self) -> Mapping[str, Any]:
        normalizes = self.plan.spec.env.normalize.observations
        return {"scaling_argument": Code("scaling, " if normalizes else "")}


class DeviceBatch(Feature):
    """The batch of a rollout on the device."""

    template = "device_rollouts/device_batch"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout


class DeviceRollouts(Feature):
    """Rollouts of environments on the device."""

    template = "device_rollouts/device_rollouts"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        limit = "MAX_EPISODE_STEPS"
        if plan.spec.env.max_episode_steps is None:
            limit = "dynamics.max_episode_steps"
        step = "state, step = tensor_envs.step(dynamics, state, {}, starts, " + limit + ")"
        scaled = plan.action_units is not None
        lines = [step.format("scale(actions)" if scaled else "actions")]
        clamped = "scale(actions)" if scaled else "actions"
        if clipped(plan):
            clamped = "actions.clamp(ACTION_LOW, ACTION_HIGH)"
            lines = [f"taken = {clamped}", step.format("taken")]
        waits = "in the log"
        if plan.spec.update.target_kl is not None:
            waits = "after an epoch of updates"
        elif follows_kl(plan):
            waits = "to adapt to the divergence"
        short = plan.shortens
        arguments = ["draw(generator, length)" if short else "draw(generator)"]
        if plan.spec.env.normalize.observations:
            arguments = ["moments.scaling()", *arguments]
        compiled = plan.compile_rollout
        return {
            "first_wait": Code(waits),
            "typed_length": Code(", length: int = ROLLOUT_LENGTH" if short else ""),
            "typed_size": Code(", size: int = BATCH_SIZE" if short else ""),
            "permuted": Code(
                "a batch for each epoch, [EPOCHS, size]"
                if short
                else "the batch for each epoch, [EPOCHS, B]"
            ),
            "permuted_size": Code("size" if short else "BATCH_SIZE"),
            "size_of_batch": Code(", len(batch.advantages)" if short else ""),
            "device_step": [Code(line) for line in lines],
            "clamped": Code(clamped),
            "collect_call": CHUNKS if compiled else "state, rollout = collect(",
            "collect_fixed": f"{'chunk, ' if compiled else ''}learner.params, state",
            "collect_arguments": [Code(argument) for argument in arguments],
        }
