"""The constants of a generated module: what the spec says, under the names the module uses."""

from collections.abc import Iterable
from math import inf, prod
from typing import Any, NamedTuple

from ppoc.compiler.language import TrustRegion
from ppoc.compiler.plan import Plan


class Constant(NamedTuple):
    """A named value of the generated module, with a comment."""

    name: str
    value: Any
    note: str = ""


def constants(plan: Plan) -> Iterable[list[Constant]]:
    """The constants of a module, in the groups they are printed in."""
    spec, facts = plan.spec, plan.facts
    yield [
        Constant("NAME", spec.name),
        Constant("ENV_ID", facts.env_id),
        Constant("SEED", spec.training.seed),
        Constant("DEVICE", spec.training.device),
    ]
    total = plan.num_iterations * plan.batch_size
    region = spec.optimizer.cross_entropy
    if region is not None:
        yield [
            Constant("NUM_ENVS", spec.env.num_envs, "N, candidates of a generation"),
            Constant("ELITES", int(spec.env.num_envs * region.elite_fraction)),
            Constant("ROLLOUT_LENGTH", plan.rollout_length, "T, steps of each candidate"),
            Constant("BATCH_SIZE", plan.batch_size, "B = T·N"),
            Constant("NUM_ITERATIONS", plan.num_iterations, f"{total:,} environment steps"),
            Constant("STD_INIT", region.std_init, "of each parameter"),
            Constant("NOISE", region.noise, "deviation added at a refit, falling linearly to 0"),
            *_schedule_constants(plan),
        ]
        yield list(_environment_constants(plan))
        return
    yield [
        Constant("NUM_ENVS", spec.env.num_envs, "N"),
        Constant("ROLLOUT_LENGTH", plan.rollout_length, "T"),
        Constant("BATCH_SIZE", plan.batch_size, "B = T·N"),
        *([Constant("CHUNK", plan.chunk, "time steps compiled as one")] * plan.compile_rollout),
        *_buffer_constants(plan),
        Constant("EPOCHS", spec.update.epochs, "passes over each batch"),
        Constant("MINIBATCH_SIZE", plan.minibatch_size, "M"),
        Constant("NUM_ITERATIONS", plan.num_iterations, f"{total:,} environment steps"),
        *_schedule_constants(plan),
    ]
    yield list(_objective_constants(plan))
    yield list(_optimizer_constants(plan))
    yield list(_environment_constants(plan))


def _buffer_constants(plan: Plan) -> Iterable[Constant]:
    buffer = plan.spec.update.buffer
    if buffer is not None:
        yield Constant("BUFFER_ROLLOUTS", buffer.rollouts, "K, learnt from in an iteration")
        yield Constant("NUM_SAMPLES", plan.num_samples, "K·B")
        if buffer.clip is not None:
            yield Constant("IMPORTANCE_CLIP", buffer.clip, "the largest product of ratios")


def _schedule_constants(plan: Plan) -> Iterable[Constant]:
    spec = plan.spec
    every = spec.training.checkpoint_every
    iterations = plan.iterations(every) if every else max(1, round(plan.num_iterations / 10))
    yield Constant("CHECKPOINT_EVERY", iterations, "iterations")
    if spec.evaluation.every is not None:
        yield Constant("EVALUATE_EVERY", plan.iterations(spec.evaluation.every), "iterations")
    yield Constant("EVALUATION_EPISODES", spec.evaluation.episodes)
    yield Constant("EVALUATION_DETERMINISTIC", spec.evaluation.deterministic)


def _objective_constants(plan: Plan) -> Iterable[Constant]:
    losses, advantage = plan.spec.losses, plan.spec.advantage
    yield Constant("GAMMA", advantage.gamma, "γ, the discount factor")
    if advantage.estimator == "gae":
        yield Constant(
            "LAMBDA", advantage.lambda_, "λ of GAE: 0 for the TD error, 1 for the return"
        )
    if plan.policy_objective.uses("epsilon"):
        yield Constant("CLIP_RANGE", losses.policy.epsilon, "ε" + _falling(losses.policy.schedule))
    for name, value in losses.policy.parameters.items():
        yield Constant(f"OBJECTIVE_{name.upper()}", value, "a parameter of the policy's objective")
    if losses.policy.kl_target is not None:
        yield Constant("KL_TARGET", losses.policy.kl_target, "OBJECTIVE_KL_WEIGHT follows it")
    if plan.has_critic:
        yield Constant("VALUE_COEFFICIENT", losses.value.coefficient)
    if plan.has_critic:
        for name, value in losses.value.parameters.items():
            note = "a parameter of the value function's objective"
            yield Constant(f"VALUE_OBJECTIVE_{name.upper()}", value, note)
    if plan.has_critic and losses.value.clip is not None:
        yield Constant("VALUE_CLIP_RANGE", losses.value.clip)
    if losses.entropy.beta:
        note = "β" + _falling(losses.entropy.schedule)
        yield Constant("ENTROPY_COEFFICIENT", losses.entropy.beta, note)


def _optimizer_constants(plan: Plan) -> Iterable[Constant]:
    optimizer, update = plan.spec.optimizer, plan.spec.update
    actor, critic = optimizer.actor, optimizer.critic
    if optimizer.trust_region is not None:
        actor = critic  # the policy has no gradient steps of its own
        yield from _trust_region_constants(optimizer.trust_region)
    if split_rate(plan):
        sizes = [size for _, size in plan.networks.actor_shapes()]
        yield Constant("ACTOR_SIZE", sum(prod(s) for s in sizes), "parameters before the critic's")
        yield Constant("ACTOR_LEARNING_RATE", actor.lr, _falling(actor.schedule)[2:])
        if actor.kl_target is not None:
            yield Constant("RATE_KL_TARGET", actor.kl_target, "ACTOR_LEARNING_RATE follows it")
        yield Constant("CRITIC_LEARNING_RATE", critic.lr, _falling(critic.schedule)[2:])
    else:
        yield Constant("LEARNING_RATE", actor.lr, _falling(actor.schedule)[2:])
        if actor.kl_target is not None:
            yield Constant("RATE_KL_TARGET", actor.kl_target, "LEARNING_RATE follows it")
    yield Constant("ADAM_BETA1", 0.9)
    yield Constant("ADAM_BETA2", 0.999)
    yield Constant("ADAM_EPSILON", actor.epsilon)
    if split_epsilon(plan):
        yield Constant("CRITIC_ADAM_EPSILON", critic.epsilon)
    if optimizer.max_grad_norm is not None:
        yield Constant("MAX_GRAD_NORM", optimizer.max_grad_norm)
    if update.target_kl is not None:
        yield Constant("TARGET_KL", update.target_kl, "1.5 times this ends an update early")


def _environment_constants(plan: Plan) -> Iterable[Constant]:
    env, facts = plan.spec.env, plan.facts
    if env.max_episode_steps is not None:
        yield Constant("MAX_EPISODE_STEPS", env.max_episode_steps)
    if env.options:
        yield Constant("ENV_OPTIONS", dict(env.options))
    if env.normalize.observations or env.normalize.rewards:
        yield Constant("NORMALIZE_CLIP", env.normalize.clip, "in standard deviations")
    if bounded(plan):
        yield Constant(
            "ACTION_LOW", _scalar(facts.action_low), "actions are clipped on their way out"
        )
        yield Constant("ACTION_HIGH", _scalar(facts.action_high))


def bounded(plan: Plan) -> bool:
    bounds = (*plan.facts.action_low, *plan.facts.action_high)
    return not plan.discrete and any(abs(bound) != inf for bound in bounds)


def _scalar(bounds: tuple[float, ...]) -> float | tuple[float, ...]:
    return bounds[0] if len(set(bounds)) == 1 else bounds


def _falling(schedule: str) -> str:
    return ", falling linearly to 0" if schedule == "linear" else ""


def _trust_region_constants(region: TrustRegion) -> Iterable[Constant]:
    yield Constant("KL_LIMIT", region.kl_limit, "δ, a hard limit on each step of the policy")
    yield Constant("CG_ITERATIONS", region.cg_iterations)
    yield Constant("CG_DAMPING", region.damping, "on the diagonal of the Fisher matrix")
    yield Constant("BACKTRACKS", region.backtracks, "step lengths the line search tries")
    yield Constant("BACKTRACK_RATIO", region.backtrack_ratio)


def split_epsilon(plan: Plan) -> bool:
    """Whether actor and critic have different ε in Adam."""
    optimizer = plan.spec.optimizer
    if not plan.has_critic or optimizer.trust_region is not None:
        return False
    return optimizer.actor.epsilon != optimizer.critic.epsilon


def split_rate(plan: Plan) -> bool:
    """Whether actor and critic move at different rates in one vector of parameters."""
    if not plan.has_critic or plan.spec.optimizer.trust_region is not None:
        return False
    actor, critic = plan.spec.optimizer.actor, plan.spec.optimizer.critic
    return (actor.lr, actor.schedule, actor.epsilon) != (critic.lr, critic.schedule, critic.epsilon)
