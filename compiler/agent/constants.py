"""The constants of a generated module: what the spec says, under the names the module uses."""

from collections.abc import Iterable
from math import inf, prod
from typing import Any

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.evaluation import MAX_STEPS
from ppoc.compiler.agent.features.rollouts import HostRestarts
from ppoc.compiler.agent.language.optimizer import Optimizer, TrustRegion
from ppoc.compiler.agent.last_iteration import last_batch
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.constants import Constant

# Steps of each environment that a resumed run replays at most, where all are replayed together.
RESTART_STEPS = 2**15


def constants(plan: Plan) -> Iterable[list[Constant]]:
    """The constants of a module, in the groups they are printed in."""
    spec, facts = plan.spec, plan.facts
    yield [
        Constant("NAME", spec.name),
        Constant("ENV_ID", facts.env_id),
        Constant("SEED", spec.training.seed),
        Constant("DEVICE", spec.training.device),
        *_divergence_constants(plan),
    ]
    region = spec.optimizer.cross_entropy
    if region is not None:
        yield [
            Constant("NUM_ENVS", spec.env.num_envs, "N, candidates of a generation"),
            Constant("ELITES", int(spec.env.num_envs * region.elite_fraction)),
            Constant("ROLLOUT_LENGTH", plan.rollout_length, "T, steps of each candidate"),
            Constant("BATCH_SIZE", plan.batch_size, "B = T·N"),
            *_iteration_constants(plan),
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
        *_sequence_constants(plan),
        Constant("EPOCHS", spec.update.epochs, "passes over each batch"),
        Constant("MINIBATCH_SIZE", plan.minibatch_size, "M"),
        *_iteration_constants(plan),
        *_schedule_constants(plan),
    ]
    yield list(_objective_constants(plan))
    yield list(_optimizer_constants(plan))
    yield list(_environment_constants(plan))


def _divergence_constants(plan: Plan) -> Iterable[Constant]:
    notes = {
        "rollback": "to the last checkpoint, and on with other noise",
        "continue": "without the updates that are not finite",
    }
    chosen = plan.spec.training.on_divergence
    if chosen in notes:
        yield Constant("ON_DIVERGENCE", chosen, notes[chosen])


def _iteration_constants(plan: Plan) -> Iterable[Constant]:
    if plan.shortens:
        last = f"the last of them {last_batch(plan.spec):,} steps"
        yield Constant("NUM_ITERATIONS", plan.num_iterations, last)
        yield Constant("TOTAL_STEPS", plan.total_steps, "of the environments together")
    else:
        total = f"{plan.total_steps:,} environment steps"
        yield Constant("NUM_ITERATIONS", plan.num_iterations, total)


def _buffer_constants(plan: Plan) -> Iterable[Constant]:
    buffer = plan.spec.update.buffer
    if buffer is not None:
        yield Constant("BUFFER_ROLLOUTS", buffer.rollouts, "K, learnt from in an iteration")
        yield Constant("NUM_SAMPLES", plan.num_samples, "K·B")
        if buffer.clip is not None:
            yield Constant("IMPORTANCE_CLIP", buffer.clip, "the largest product of ratios")


def _sequence_constants(plan: Plan) -> Iterable[Constant]:
    if plan.memory:
        yield Constant("SEQUENCE_LENGTH", plan.sequence_length, "L, steps a gradient flows through")
        sequences = plan.num_samples // plan.sequence_length
        yield Constant("NUM_SEQUENCES", sequences, "B/L")
        size = sum(cell.state_size for cell in plan.networks.cells)
        yield Constant("STATE_SIZE", size, "S, numbers in the memory of an environment")


def _schedule_constants(plan: Plan) -> Iterable[Constant]:
    spec = plan.spec
    every = spec.training.checkpoint_every
    iterations = plan.iterations(every) if every else max(1, round(plan.num_iterations / 10))
    yield Constant("CHECKPOINT_EVERY", iterations, "iterations")
    if HostRestarts.applies(plan):
        restart = max(1, RESTART_STEPS // plan.rollout_length)
        yield Constant("RESTART_EVERY", restart, "iterations, after which all episodes begin anew")
    evaluation = spec.evaluation
    if evaluation.every is not None and plan.evaluates_on_the_way:
        yield Constant("EVALUATE_EVERY", plan.iterations(evaluation.every), "iterations")
    yield Constant("EVALUATION_EPISODES", evaluation.episodes)
    yield Constant("EVALUATION_DETERMINISTIC", evaluation.deterministic)
    longest = evaluation.max_steps or max(MAX_STEPS, plan.facts.time_limit or 0)
    yield Constant("EVALUATION_MAX_STEPS", longest, "an episode that takes more is cut")
    num_envs = evaluation.num_envs or spec.env.num_envs
    yield Constant("EVALUATION_NUM_ENVS", num_envs, "at most")


def _objective_constants(plan: Plan) -> Iterable[Constant]:
    losses, advantage = plan.spec.losses, plan.spec.advantage
    yield Constant("GAMMA", advantage.gamma, "γ, the discount factor")
    yield from estimator_of(advantage).constants(advantage)
    if plan.policy_objective.uses("epsilon"):
        yield from _scheduled("CLIP_RANGE", losses.policy.epsilon, losses.policy.schedule, "ε")
    for name, value in losses.policy.parameters.items():
        yield Constant(f"OBJECTIVE_{name.upper()}", value, "a parameter of the policy's objective")
    if losses.policy.kl_target is not None:
        yield Constant("KL_TARGET", losses.policy.kl_target, "OBJECTIVE_KL_WEIGHT follows it")
    if plan.has_critic:
        loss = losses.value
        yield from _scheduled("VALUE_COEFFICIENT", loss.coefficient, loss.schedule)
        for name, value in losses.value.parameters.items():
            note = "a parameter of the value function's objective"
            yield Constant(f"VALUE_OBJECTIVE_{name.upper()}", value, note)
    if plan.has_critic and losses.value.clip is not None:
        yield Constant("VALUE_CLIP_RANGE", losses.value.clip)
    if losses.entropy.beta:
        entropy = losses.entropy
        yield from _scheduled("ENTROPY_COEFFICIENT", entropy.beta, entropy.schedule, "β")


def _optimizer_constants(plan: Plan) -> Iterable[Constant]:
    optimizer, update = plan.spec.optimizer, plan.spec.update
    actor, critic = optimizer.actor, optimizer.critic
    if optimizer.trust_region is not None:
        actor = critic  # the policy has no gradient steps of its own
        yield from _trust_region_constants(optimizer.trust_region)
    if split_rate(plan):
        sizes = [size for _, size in plan.networks.actor_shapes()]
        yield Constant("ACTOR_SIZE", sum(prod(s) for s in sizes), "parameters before the critic's")
        yield from _scheduled("ACTOR_LEARNING_RATE", actor.lr, actor.schedule)
        if actor.kl_target is not None:
            yield Constant("RATE_KL_TARGET", actor.kl_target, "ACTOR_LEARNING_RATE follows it")
        yield from _scheduled("CRITIC_LEARNING_RATE", critic.lr, critic.schedule)
    else:
        yield from _scheduled("LEARNING_RATE", actor.lr, actor.schedule)
        if actor.kl_target is not None:
            yield Constant("RATE_KL_TARGET", actor.kl_target, "LEARNING_RATE follows it")
    yield from _kind_constants(actor)
    if split_epsilon(plan):
        yield Constant(f"CRITIC_{epsilon_name(plan)}", critic.epsilon)
    if optimizer.max_grad_norm is not None:
        yield Constant("MAX_GRAD_NORM", optimizer.max_grad_norm)
    if update.target_kl is not None:
        yield Constant("TARGET_KL", update.target_kl, "1.5 times this ends an update early")


def _kind_constants(optimizer: Optimizer) -> Iterable[Constant]:
    if optimizer.kind in ("adam", "adamw"):
        yield Constant("ADAM_BETA1", 0.9)
        yield Constant("ADAM_BETA2", 0.999)
        yield Constant("ADAM_EPSILON", optimizer.epsilon)
    if optimizer.kind == "adamw":
        yield Constant("WEIGHT_DECAY", optimizer.weight_decay)
    if optimizer.kind == "rmsprop":
        yield Constant("RMSPROP_DECAY", optimizer.decay)
        yield Constant("RMSPROP_EPSILON", optimizer.epsilon)
    if optimizer.kind == "sgd" and optimizer.momentum:
        yield Constant("MOMENTUM", optimizer.momentum)


def epsilon_name(plan: Plan) -> str:
    """The name of the constant that holds the optimiser's ε."""
    kind = stepping(plan).kind
    return "RMSPROP_EPSILON" if kind == "rmsprop" else "ADAM_EPSILON"


def stepping(plan: Plan) -> Optimizer:
    """The optimiser that takes gradient steps: under a trust region the critic's."""
    optimizer = plan.spec.optimizer
    return optimizer.critic if optimizer.trust_region is not None else optimizer.actor


def _environment_constants(plan: Plan) -> Iterable[Constant]:
    env, facts = plan.spec.env, plan.facts
    observations, actions = facts.announced
    yield Constant("OBSERVATION_SPACE", observations, "of the environment this is compiled for")
    yield Constant("ACTION_SPACE", actions)
    if env.max_episode_steps is not None:
        yield Constant("MAX_EPISODE_STEPS", env.max_episode_steps)
    if facts.options:
        yield Constant("ENV_OPTIONS", dict(facts.options))
    if facts.wrappers and facts.backend != "envpool":
        yield Constant("WRAPPERS", facts.wrappers, "the innermost first")
    if facts.package is not None:
        yield Constant("ENV_PACKAGE", facts.package, "imported, it registers the environment")
    if facts.code_folders:
        yield Constant("CODE_FOLDERS", facts.code_folders, "where the spec's code was found")
    if facts.choices:
        yield Constant("CHOICES", facts.choices, "of each component of an action")
    if env.action_masks:
        yield Constant("MASKED_LOGIT", -1e8, "of an action that may not be taken")
    for which, body in plan.custom.items():
        yield Constant(f"{which.upper()}_CODE", body.code, "features of observations")
    if plan.networks.std == "gsde" and plan.spec.networks.actor.resample_every is not None:
        yield Constant("RESAMPLE_EVERY", plan.spec.networks.actor.resample_every, "steps")
    if env.normalize.observations or env.normalize.rewards:
        yield Constant("NORMALIZE_CLIP", env.normalize.clip, "in standard deviations")
    if plan.action_units is not None:
        center, scale = plan.action_units
        yield Constant("ACTION_CENTER", _scalar(center), "of the bounds")
        yield Constant("ACTION_SCALE", _scalar(scale), "half of their range")
    if bounded(plan):
        clipped = plan.spec.networks.actor.distribution == "gaussian"
        note = (
            "actions are clipped on their way out" if clipped else "of what the environment takes"
        )
        yield Constant("ACTION_LOW", _scalar(facts.action_low), note)
        yield Constant("ACTION_HIGH", _scalar(facts.action_high))


def bounded(plan: Plan) -> bool:
    """Whether actions are numbers with a bound."""
    bounds = (*plan.facts.action_low, *plan.facts.action_high)
    return plan.facts.action_kind == "continuous" and any(abs(bound) != inf for bound in bounds)


def _scalar(bounds: tuple[float, ...]) -> float | tuple[float, ...]:
    return bounds[0] if len(set(bounds)) == 1 else bounds


def _scheduled(name: str, value: float, schedule: Any, note: str = "") -> Iterable[Constant]:
    """A constant and, where it follows points, those."""
    falls = {"linear": "falling linearly to 0", "cosine": "falling to 0 along half a cosine"}
    points = isinstance(schedule, list)
    words = "times SCHEDULE's factor" if points else falls.get(str(schedule), "")
    words = words.replace("SCHEDULE", f"{name}_SCHEDULE")
    yield Constant(name, value, ", ".join(part for part in (note, words) if part))
    if points:
        yield Constant(
            f"{name}_SCHEDULE", tuple(zip(*schedule, strict=True)), "progress, and factors"
        )


def _trust_region_constants(region: TrustRegion) -> Iterable[Constant]:
    yield Constant("KL_LIMIT", region.kl_limit, "δ, a hard limit on each step of the policy")
    yield Constant("CG_ITERATIONS", region.cg_iterations)
    yield Constant("CG_DAMPING", region.damping, "on the diagonal of the Fisher matrix")
    yield Constant("BACKTRACKS", region.backtracks, "step lengths the line search tries")
    yield Constant("BACKTRACK_RATIO", region.backtrack_ratio)


def split_epsilon(plan: Plan) -> bool:
    """Whether actor and critic have different ε in the optimiser."""
    optimizer = plan.spec.optimizer
    if not plan.has_critic or optimizer.trust_region is not None or optimizer.actor.kind == "sgd":
        return False
    return optimizer.actor.epsilon != optimizer.critic.epsilon


def split_rate(plan: Plan) -> bool:
    """Whether actor and critic move at different rates in one vector of parameters."""
    if not plan.has_critic or plan.spec.optimizer.trust_region is not None:
        return False
    actor, critic = plan.spec.optimizer.actor, plan.spec.optimizer.critic
    return (actor.lr, actor.schedule) != (critic.lr, critic.schedule) or split_epsilon(plan)


def clipped(plan: Plan) -> bool:
    """Whether Gaussian actions are clipped to the bounds, as the environment takes them."""
    return bounded(plan) and plan.policy == "gaussian" and plan.action_units is None
