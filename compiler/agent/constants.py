"""The constants of a generated module: what the spec says, under the names the module uses."""

from collections.abc import Iterable
from math import inf

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.evaluation import MAX_STEPS
from ppoc.compiler.agent.last_iteration import last_batch
from ppoc.compiler.agent.optimizer_constants import optimizer_constants, scheduled
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.constants import Constant

CEM = "optimizer.cross_entropy"
# Steps of each environment that a resumed run replays at most, where all are replayed together.
RESTART_STEPS = 2**15


def constants(plan: Plan) -> Iterable[list[Constant]]:
    """The constants of a module, in the groups they are printed in."""
    spec, facts = plan.spec, plan.facts
    yield [
        Constant("NAME", spec.name, field="name"),
        Constant("ENV_ID", facts.env_id, field="environment.id"),
        Constant("SEED", spec.training.seed, field="seed"),
        Constant("DEVICE", spec.training.device, field="device"),
        *_divergence_constants(plan),
    ]
    region = spec.optimizer.cross_entropy
    if region is not None:
        yield [
            _num_envs(plan, "N, candidates of a generation"),
            Constant("ELITES", int(spec.env.num_envs * region.elite_fraction)),
            _rollout_length(plan, "T, steps of each candidate"),
            _batch_size(plan),
            *_iteration_constants(plan),
            Constant("STD_INIT", region.std_init, "of each parameter", f"{CEM}.std_init"),
            Constant(
                "NOISE",
                region.noise,
                "deviation added at a refit, falling linearly to 0",
                f"{CEM}.noise",
            ),
            *_schedule_constants(plan),
        ]
        yield list(_environment_constants(plan))
        return
    whole = spec.update.minibatch_size == "all"
    minibatch_key = () if whole else "update.minibatch_size"
    yield [
        _num_envs(plan, "N"),
        _rollout_length(plan, "T"),
        _batch_size(plan),
        *([Constant("CHUNK", plan.chunk, "time steps compiled as one")] * plan.compile_rollout),
        *_buffer_constants(plan),
        *_sequence_constants(plan),
        Constant("EPOCHS", spec.update.epochs, "passes over each batch", "update.epochs"),
        Constant("MINIBATCH_SIZE", plan.minibatch_size, "M", minibatch_key),
        *_iteration_constants(plan),
        *_schedule_constants(plan),
    ]
    yield list(_objective_constants(plan))
    yield list(optimizer_constants(plan))
    yield list(_environment_constants(plan))


def _num_envs(plan: Plan, note: str) -> Constant:
    return Constant("NUM_ENVS", plan.spec.env.num_envs, note, "env.num_envs", "rollouts.num_envs")


def _rollout_length(plan: Plan, note: str) -> Constant:
    return Constant("ROLLOUT_LENGTH", plan.rollout_length, note, field="rollouts.length")


def _batch_size(plan: Plan) -> Constant:
    key, field = "update.rollout_steps", "rollouts.batch_size"
    return Constant("BATCH_SIZE", plan.batch_size, "B = T·N", key, field)


def _divergence_constants(plan: Plan) -> Iterable[Constant]:
    notes = {
        "rollback": "to the last checkpoint, and on with other noise",
        "continue": "without the updates that are not finite",
    }
    chosen = plan.spec.training.on_divergence
    if chosen in notes:
        yield Constant(
            "ON_DIVERGENCE",
            chosen,
            notes[chosen],
            "training.on_divergence",
            "on_divergence",
        )


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
        yield Constant(
            "BUFFER_ROLLOUTS",
            buffer.rollouts,
            "K, learnt from in an iteration",
            "update.buffer.rollouts",
            "rollouts.kept",
        )
        yield Constant("NUM_SAMPLES", plan.num_samples, "K·B")
        if buffer.clip is not None:
            yield Constant(
                "IMPORTANCE_CLIP",
                buffer.clip,
                "the largest product of ratios",
                "update.buffer.clip",
            )


def _sequence_constants(plan: Plan) -> Iterable[Constant]:
    if plan.memory:
        yield Constant("SEQUENCE_LENGTH", plan.sequence_length, "L, steps a gradient flows through")
        sequences = plan.num_samples // plan.sequence_length
        yield Constant("NUM_SEQUENCES", sequences, "B/L")
        size = sum(cell.state_size for cell in plan.networks.cells)
        note = "S, numbers in the memory of an environment"
        yield Constant("STATE_SIZE", size, note, field="policy.memory")


def _schedule_constants(plan: Plan) -> Iterable[Constant]:
    spec = plan.spec
    every = spec.training.checkpoint_every
    iterations = plan.iterations(every) if every else max(1, round(plan.num_iterations / 10))
    yield Constant("CHECKPOINT_EVERY", iterations, "iterations")
    if plan.restarts:
        restart = max(1, RESTART_STEPS // plan.rollout_length)
        yield Constant("RESTART_EVERY", restart, "iterations, after which all episodes begin anew")
    evaluation = spec.evaluation
    if evaluation.every is not None and plan.evaluates_on_the_way:
        yield Constant("EVALUATE_EVERY", plan.iterations(evaluation.every), "iterations")
    yield Constant(
        "EVALUATION_EPISODES",
        evaluation.episodes,
        field="evaluation.episodes",
    )
    yield Constant(
        "EVALUATION_DETERMINISTIC",
        evaluation.deterministic,
        field="evaluation.deterministic",
    )
    longest = evaluation.max_steps or max(MAX_STEPS, plan.facts.time_limit or 0)
    note = "an episode that takes more is cut"
    yield Constant("EVALUATION_MAX_STEPS", longest, note, field="evaluation.max_steps")
    num_envs = evaluation.num_envs or spec.env.num_envs
    yield Constant("EVALUATION_NUM_ENVS", num_envs, "at most", field="evaluation.num_envs")


def _objective_constants(plan: Plan) -> Iterable[Constant]:
    losses, advantage = plan.spec.losses, plan.spec.advantage
    yield Constant("GAMMA", advantage.gamma, "γ, the discount factor", "advantage.gamma")
    yield from estimator_of(advantage).constants(advantage)
    if plan.policy_objective.uses("epsilon"):
        policy = losses.policy
        yield from scheduled(
            "CLIP_RANGE", policy.epsilon, policy.schedule, "losses.policy.epsilon", "ε"
        )
    for name, value in losses.policy.parameters.items():
        note = "a parameter of the policy's objective"
        key = f"losses.policy.parameters.{name}"
        yield Constant(f"OBJECTIVE_{name.upper()}", value, note, key)
    if losses.policy.kl_target is not None:
        note, key = "OBJECTIVE_KL_WEIGHT follows it", "losses.policy.kl_target"
        yield Constant("KL_TARGET", losses.policy.kl_target, note, key)
    if plan.has_critic:
        loss = losses.value
        key = "losses.value.coefficient"
        yield from scheduled("VALUE_COEFFICIENT", loss.coefficient, loss.schedule, key)
        for name, value in losses.value.parameters.items():
            note = "a parameter of the value function's objective"
            key = f"losses.value.parameters.{name}"
            yield Constant(f"VALUE_OBJECTIVE_{name.upper()}", value, note, key)
    if plan.has_critic and losses.value.clip is not None:
        yield Constant("VALUE_CLIP_RANGE", losses.value.clip, key="losses.value.clip")
    if losses.entropy.beta:
        entropy = losses.entropy
        key = "losses.entropy.beta"
        yield from scheduled("ENTROPY_COEFFICIENT", entropy.beta, entropy.schedule, key, "β")


def _size_constants(plan: Plan) -> Iterable[Constant]:
    """Sizes that function bodies name."""
    facts, env = plan.facts, plan.spec.env
    if env.normalize.observations or env.action_masks:
        yield Constant("OBSERVATION_SIZE", facts.observation_size, "O")
    if not plan.searches:
        yield Constant("ACTION_SIZE", facts.action_size, "A")
        if plan.networks.std == "gsde":
            size = plan.networks.actor.head.inputs
            yield Constant("LATENT_SIZE", size, "features that noise is a function of")


def _environment_constants(plan: Plan) -> Iterable[Constant]:
    env, facts = plan.spec.env, plan.facts
    observations, actions = facts.announced
    note = "of the environment this is compiled for"
    yield Constant("OBSERVATION_SPACE", observations, note, field="environment.observations")
    yield Constant("ACTION_SPACE", actions, field="environment.actions")
    yield from _size_constants(plan)
    if env.max_episode_steps is not None:
        yield Constant(
            "MAX_EPISODE_STEPS",
            env.max_episode_steps,
            key="env.max_episode_steps",
            field="environment.max_episode_steps",
        )
    if facts.options:
        yield Constant("ENV_OPTIONS", dict(facts.options), field="environment.options")
    if facts.wrappers and facts.backend != "envpool":
        note = "the innermost first"
        yield Constant("WRAPPERS", facts.wrappers, note, field="environment.wrappers")
    if facts.package is not None:
        note = "imported, it registers the environment"
        yield Constant("ENV_PACKAGE", facts.package, note, field="environment.package")
    if facts.code_folders:
        yield Constant("CODE_FOLDERS", facts.code_folders, "where the spec's code was found")
    if facts.choices:
        note = "of each component of an action"
        yield Constant("CHOICES", facts.choices, note, field="policy.choices")
    if env.action_masks:
        yield Constant("MASKED_LOGIT", -1e8, "of an action that may not be taken")
    for which, body in plan.custom.items():
        yield Constant(f"{which.upper()}_CODE", body.code, "features of observations")
    if plan.networks.std == "gsde" and plan.spec.networks.actor.resample_every is not None:
        key = "networks.actor.resample_every"
        yield Constant("RESAMPLE_EVERY", plan.spec.networks.actor.resample_every, "steps", key)
    if env.normalize.observations or env.normalize.rewards:
        note, key = "in standard deviations", "env.normalize.clip"
        yield Constant("NORMALIZE_CLIP", env.normalize.clip, note, key)
    if plan.action_units is not None:
        center, scale = plan.action_units
        yield Constant("ACTION_CENTER", _scalar(center), "of the bounds", field="policy.center")
        note = "half of their range"
        yield Constant("ACTION_SCALE", _scalar(scale), note, field="policy.scale")
    if bounded(plan):
        clipped = plan.spec.networks.actor.distribution == "gaussian"
        note = (
            "actions are clipped on their way out" if clipped else "of what the environment takes"
        )
        yield Constant("ACTION_LOW", _scalar(facts.action_low), note, field="policy.low")
        yield Constant("ACTION_HIGH", _scalar(facts.action_high), field="policy.high")


def bounded(plan: Plan) -> bool:
    """Whether actions are numbers with a bound."""
    bounds = (*plan.facts.action_low, *plan.facts.action_high)
    return plan.facts.action_kind == "continuous" and any(abs(bound) != inf for bound in bounds)


def _scalar(bounds: tuple[float, ...]) -> float | tuple[float, ...]:
    return bounds[0] if len(set(bounds)) == 1 else bounds


def clipped(plan: Plan) -> bool:
    """Whether Gaussian actions are clipped to the bounds, as the environment takes them."""
    return bounded(plan) and plan.policy == "gaussian" and plan.action_units is None
