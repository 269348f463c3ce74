"""The last iteration: shorter than the others where a run would else take more steps than asked.

A spec alone says how short it can be: its rollout is in whole time steps of all environments, and
learnt from in minibatches of the one size that an update is compiled for.
"""

from math import ceil, gcd, lcm

from ppoc.compiler.agent.language import AgentSpec


def steps_taken(spec: AgentSpec) -> int:
    """Environment steps of the whole run, at least `training.total_steps`."""
    unit = _unit(spec)
    return ceil(spec.training.total_steps / unit) * unit


def last_batch(spec: AgentSpec) -> int:
    """Environment steps of the last iteration, B where it is like the others."""
    batch = spec.update.rollout_steps
    return (steps_taken(spec) - 1) % batch + 1


def iterations_in_words(spec: AgentSpec) -> str:
    """The iterations of a run with their steps, such as "2 iterations of 2,048 and one of 512"."""
    batch, taken, last = spec.update.rollout_steps, steps_taken(spec), last_batch(spec)
    whole = taken // batch
    parts = [f"{whole:,} iteration{'s' * (whole > 1)} of {batch:,}"] if whole else []
    parts += [f"one of {last:,}"] if last < batch else []
    return " and ".join(parts)


def length_in_words(spec: AgentSpec) -> str:
    """One line on a run whose total is no multiple of its iterations, or nothing."""
    total, taken = spec.training.total_steps, steps_taken(spec)
    if total % spec.update.rollout_steps == 0:
        return ""
    instead = f", not the {total:,} of training.total_steps" if taken > total else ""
    return f"{taken:,} steps{instead}: {iterations_in_words(spec)}"


def nearest_totals(spec: AgentSpec) -> list[int]:
    """The nearest numbers of steps that a run takes without rounding."""
    below = steps_taken(spec) - _unit(spec)
    return [*([below] if below else []), steps_taken(spec)]


def why_rounded(spec: AgentSpec) -> str:
    """Why the last iteration is not exactly as long as is left of the total."""
    if reason := _why_whole(spec):
        return f"the last iteration is as long as the others: {reason}"
    return (
        f"a last iteration has a multiple of {_unit(spec):,} steps, which {spec.env.num_envs} "
        f"environments share and minibatches of {spec.update.minibatch_size} divide"
    )


def _unit(spec: AgentSpec) -> int:
    """The number that the steps of a whole run are a multiple of, a divisor of B."""
    update, envs = spec.update, spec.env.num_envs
    batch = update.rollout_steps
    if _why_whole(spec) or update.minibatch_size == "all":
        return batch
    unit = lcm(envs, update.minibatch_size)
    if _has_memory(spec):
        length = update.sequence_length or gcd(update.minibatch_size, batch // envs)
        unit = lcm(unit, envs * length)
    return unit if batch % unit == 0 else batch


def _why_whole(spec: AgentSpec) -> str:
    """Why the last iteration cannot be shorter than the others, or nothing."""
    update = spec.update
    if spec.optimizer.cross_entropy is not None:
        return "candidates are compared by rollouts of one length"
    if spec.optimizer.trust_region is not None:
        return "a trust region's step takes the whole rollout"
    if update.buffer is not None:
        return "the rollouts of a buffer have one length"
    if update.sampling == "episodes":
        return "fewer episodes would end within a shorter one"
    if update.minibatch_size in ("all", update.rollout_steps):
        return "its rollout is one minibatch"
    return ""


def _has_memory(spec: AgentSpec) -> bool:
    networks = (spec.networks.actor, spec.networks.critic)
    return any(network is not None and network.memory is not None for network in networks)
