"""W101: the last iteration goes on for long after the total."""

from collections.abc import Iterator

from ppoc.compiler.agent.last_iteration import (
    iterations_in_words,
    nearest_totals,
    steps_taken,
    why_rounded,
)
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.advice import MORE_STEPS
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule(
    "W101",
    "env.num_envs",
    "networks.actor.memory",
    "networks.critic.memory",
    "optimizer.cross_entropy",
    "optimizer.trust_region",
    "training.total_steps",
    "update.buffer",
    "update.minibatch_size",
    "update.rollout_steps",
    "update.sampling",
    "update.sequence_length",
)
def total_steps_are_nearly_those_taken(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    total, taken = spec.training.total_steps, steps_taken(spec)
    if taken > MORE_STEPS * total:
        totals = " or ".join(f"{steps:,}" for steps in nearest_totals(spec))
        yield resolved.diagnostic(
            "W101",
            resolved.first_explicit(("training", "total_steps"), ("update", "rollout_steps")),
            f"a run of {total:,} steps takes {taken:,}: {iterations_in_words(spec)}",
            why=why_rounded(spec),
            help=f"set training.total_steps to {totals}, or lower update.rollout_steps",
        )
