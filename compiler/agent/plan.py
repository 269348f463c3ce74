"""The plan: a checked spec with its environment's shapes, and the decisions the passes made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, gcd, prod
from typing import Any

from ppoc.compiler.agent.action_units import Units
from ppoc.compiler.agent.env.custom import CustomBody
from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.last_iteration import last_batch, steps_taken
from ppoc.compiler.agent.networks.actor_critic import Networks
from ppoc.compiler.agent.networks.build import Interface, build
from ppoc.compiler.agent.networks.distributions import Distribution, Policy
from ppoc.compiler.formula.objectives import Objective
from ppoc.compiler.front.program import Decision


@dataclass(frozen=True)
class Plan:
    """Everything the emitter needs; immutable, so that a pass returns a new one."""

    spec: AgentSpec
    facts: EnvFacts
    custom: Mapping[str, CustomBody] = field(default_factory=dict)
    compile_update: bool = False
    compile_fisher: bool = False
    single_thread: bool = False
    device_rollout: bool = False
    compile_rollout: bool = False
    action_units: Units | None = None  # None: actions are as the environment takes them
    decisions: tuple[Decision, ...] = ()

    def decide(self, decision: Decision, **changes: Any) -> "Plan":
        """This plan with a decision recorded and carried out."""
        return replace(self, decisions=(*self.decisions, decision), **changes)

    @cached_property
    def networks(self) -> Networks:
        facts, masks = self.facts, self.spec.env.action_masks
        policy: Policy = "categorical" if self.searches else self.policy
        asked = Interface(facts.shape, facts.pixel, policy, facts.action_size, masks, self.custom)
        return build(self.spec, asked)

    @property
    def compiling(self) -> dict[str, bool]:
        """Parts to compile, as templates call them, and whether a run must not go on without."""
        return {
            "compile_update": self.compile_update,
            "compile_fisher": self.compile_fisher,
            "compile_rollout": self.compile_rollout,
            "compile_required": self.spec.training.compile == "always",
        }

    @property
    def policy(self) -> Policy:
        """The kind of the action distribution."""
        kinds: dict[str, Policy] = {
            "discrete": "categorical",
            "multi-discrete": "multi-categorical",
            "binary": "bernoulli",
        }
        return kinds.get(self.facts.action_kind, self.spec.networks.actor.distribution)

    @property
    def distribution(self) -> Distribution:
        """The action distribution."""
        facts, policy = self.facts, self.policy
        components = {"discrete": None, "multi-discrete": len(facts.choices)}
        free = self.networks.log_std_shape is not None and self.networks.std == "independent"
        return Distribution(policy, free, components.get(facts.action_kind, facts.action_size))

    @property
    def learns_action_values(self) -> bool:
        """Whether the critic is Q(s, a)."""
        return self.spec.advantage.estimator == "q"

    @property
    def policy_objective(self) -> Objective:
        return self.spec.policy_objective

    @property
    def value_objective(self) -> Objective:
        return self.spec.value_objective

    @property
    def batch_size(self) -> int:
        """B, environment steps an iteration."""
        return self.spec.update.rollout_steps

    @property
    def rollout_length(self) -> int:
        """T, time steps an iteration in each environment."""
        return self.batch_size // self.spec.env.num_envs

    @property
    def chunk(self) -> int:
        """Time steps of a rollout that are compiled as one: a divisor of each T, up to 4.

        Eight would gain another tenth, and take twice as long to compile (benchmarks/passes.py).
        """
        common = gcd(self.rollout_length, last_batch(self.spec) // self.spec.env.num_envs)
        return max(steps for steps in range(1, 5) if common % steps == 0)

    @property
    def num_samples(self) -> int:
        """Samples that an iteration learns from: B, times the rollouts of a buffer."""
        buffer = self.spec.update.buffer
        return self.batch_size * (buffer.rollouts if buffer else 1)

    @property
    def clips_importance(self) -> bool:
        """Whether those products have a largest value."""
        buffer = self.spec.update.buffer
        return self.weighs_decisions and buffer is not None and buffer.clip is not None

    @property
    def minibatch_size(self) -> int:
        """M, samples a gradient step."""
        size = self.spec.update.minibatch_size
        return self.num_samples if size == "all" else size

    @property
    def memory(self) -> bool:
        """Whether the policy has a memory."""
        return bool(self.networks.cells)

    @property
    def sequence_length(self) -> int:
        """L, steps through which the gradient of a memory flows."""
        length = self.spec.update.sequence_length
        return length or gcd(self.minibatch_size, self.rollout_length)

    @property
    def weighs_decisions(self) -> bool:
        """Whether products of importance ratios weigh rewards and samples."""
        buffer = self.spec.update.buffer
        return buffer is not None and buffer.importance == "products"

    @property
    def searches(self) -> bool:
        """Whether the cross-entropy method stands in for gradients."""
        return self.spec.optimizer.cross_entropy is not None

    @property
    def evaluates_on_the_way(self) -> bool:
        """Whether evaluations interrupt training."""
        return self.spec.evaluation.every is not None and self.spec.evaluation.episodes > 0

    @property
    def shares_envs(self) -> bool:
        """Whether those play in the environments of training, where it has any."""
        env, wanted = self.spec.env, self.spec.evaluation.share_envs
        lives = env.atari is not None and env.atari.episodic_life
        wants = wanted == "always" or (wanted == "auto" and env.num_envs == 1 and not lives)
        return wants and self.evaluates_on_the_way and not self.device_rollout

    @property
    def has_critic(self) -> bool:
        return self.spec.networks.critic is not None

    @property
    def num_iterations(self) -> int:
        """Iterations that reach the total steps."""
        return ceil(self.spec.training.total_steps / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole run."""
        return steps_taken(self.spec)

    @property
    def continues_on_host(self) -> bool:
        """Whether episodes on the host go on from one iteration to the next."""
        whole = self.searches or self.spec.update.sampling == "episodes"
        return not self.device_rollout and not whole

    @property
    def restarts(self) -> bool:
        """Whether all episodes begin anew every so often: envpool replays all at once."""
        return self.continues_on_host and self.facts.backend == "envpool"

    @property
    def shortens(self) -> bool:
        """Whether the last iteration is shorter than the others."""
        return last_batch(self.spec) < self.batch_size

    @property
    def num_updates(self) -> int:
        """Minibatch updates in the whole run."""
        update = self.spec.update
        return self.num_iterations * update.epochs * (self.num_samples // self.minibatch_size)

    @property
    def num_fisher_products(self) -> int:
        """Products with Fisher's matrix in the whole run, one of each iteration for the length."""
        region = self.spec.optimizer.trust_region
        return 0 if region is None else self.num_iterations * (region.cg_iterations + 1)

    @property
    def num_parameters(self) -> int:
        return sum(prod(shape) for _, shape in self.networks.shapes())

    def iterations(self, steps: int) -> int:
        """The whole number of iterations nearest to some environment steps, at least one."""
        return min(max(1, round(steps / self.batch_size)), self.num_iterations)
