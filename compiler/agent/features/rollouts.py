"""Rollouts: environments on the host or on the device, and how their episodes go on."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.env_arguments import env_arguments
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code
from ppoc.compiler.emission.rendering import fit

RECURRENT_NOTE = (
    "\n    Likewise `starts`, [N], which episodes begin, and `state`, [N, S], of the memory.\n"
)


class HostEnvironments(Feature):
    """Environments on the host."""

    template = "rollouts/host_environments"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.device_rollout

    def words(self) -> Mapping[str, Any]:
        lives = ", training=True" if ends_with_lives(self.plan) else ""
        made = f"run.opened(make_envs(NUM_ENVS{lives}))"
        recorded = HostContinuing.applies(self.plan)
        return {"training_envs": Code(f"runtime.ActionReplayEnv({made})" if recorded else made)}


class Environments(Feature):
    """The function that makes environments."""

    template = "rollouts/environments"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not ends_with_lives(plan)

    def words(self) -> Mapping[str, Any]:
        doc = "Environments that reset themselves within the step that ends an episode."
        if self.plan.device_rollout:
            doc = (
                "Environments to evaluate in: those that `collect` computes, as their authors "
                "wrote them."
            )
        return {"make_envs_doc": Code(doc), "env_arguments": env_arguments(self.plan)}


class EpisodicLife(Feature):
    """Environments whose episodes end with a life, in training."""

    template = "rollouts/episodic_life"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return ends_with_lives(plan)

    def words(self) -> Mapping[str, Any]:
        line = 'wrappers = [layer for layer in WRAPPERS if training or layer[0] != "EpisodicLife"]'
        if self.plan.facts.backend == "envpool":
            line = 'options = {**ENV_OPTIONS, "episodic_life": training}'
        return {"life_line": Code(line), "env_arguments": env_arguments(self.plan)}


class HostEpisodes(Feature):
    """Returns and lengths of episodes."""

    template = "rollouts/host_episodes"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.device_rollout


class EpisodeSampling(Feature):
    """Samples of whole episodes only."""

    template = "rollouts/episode_sampling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.update.sampling == "episodes"


class HostEpisodeSampling(EpisodeSampling):
    """New episodes in each iteration."""

    template = "rollouts/host_episode_sampling"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return super().applies(plan) and not plan.device_rollout


class HostContinuing(Feature):
    """Episodes that go on from one iteration to the next."""

    template = "rollouts/host_continuing"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.continues_on_host


class HostRestarts(HostContinuing):
    """New episodes every so often, where environments are replayed from the last ones of all."""

    template = "rollouts/host_restarts"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.restarts


class ShortLastIteration(Feature):
    """A last iteration that takes no more steps than are left."""

    template = "rollouts/short_last_iteration"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.shortens


class HostRandomness(Feature):
    """Random numbers of an iteration, on the host."""

    template = "rollouts/host_randomness"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.device_rollout and not plan.searches


class HostRollouts(Feature):
    """Rollouts of environments on the host."""

    template = "rollouts/host_rollouts"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.device_rollout and not plan.searches

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        weights = "weights" if plan.networks.acts_in_numpy else "p"
        normalize = "normalize, " if plan.spec.env.normalize.observations else ""
        lines = [
            f"rollout, observations = collect(envs, {weights}, {normalize}observations, noise)"
        ]
        if plan.memory:
            names = f"{normalize}observations, noise, starts, state".split(", ")
            call = "rollout, observations, starts, state = collect("
            arguments = [Code(name) for name in names]
            lines = ["state_before = state", fit(call, "envs, p", arguments, ")", 8)]
        more = ", np.ndarray, Tensor" if plan.memory else ""
        return {
            "collect_result": Code(f"tuple[Rollout, np.ndarray{more}]"),
            "collect_note": Code(RECURRENT_NOTE if plan.memory else ""),
            "collect_lines": [Code(line) for line in lines],
            "acted": Code("actions, state" if plan.memory else "actions"),
        }


class PlainPolicy(Feature):
    """A policy without a memory."""

    template = "rollouts/plain_policy"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not (plan.device_rollout or plan.searches or plan.memory)


class HostTensors(Feature):
    """A rollout's arrays as tensors."""

    template = "rollouts/host_tensors"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.device_rollout and not plan.searches


class HostBatch(Feature):
    """The batch of a rollout on the host."""

    template = "rollouts/host_batch"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.device_rollout and not plan.searches


class Buffer(Feature):
    """Rollouts of the policies before."""

    template = "rollouts/buffer"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.update.buffer is not None

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {
            "imports": ["from collections import deque", "from collections.abc import Iterable"],
            "make_batch_arguments": [Code("behaviour")],
        }


def ends_with_lives(plan: Plan) -> bool:
    """Whether an episode ends with the loss of a life, in training."""
    return plan.spec.env.atari is not None and plan.spec.env.atari.episodic_life
