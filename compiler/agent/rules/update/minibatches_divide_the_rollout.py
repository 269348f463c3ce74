"""E101: a compiled update has one shape, so every minibatch has the same size."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.front.suggest import nearest_divisors


@rule("E101", "update.buffer.rollouts", "update.minibatch_size", "update.rollout_steps")
def minibatches_divide_the_rollout(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    update = resolved.spec.update
    samples = update.rollout_steps * (update.buffer.rollouts if update.buffer else 1)
    if update.minibatch_size != "all" and samples % update.minibatch_size:
        sizes = nearest_divisors(samples, update.minibatch_size)
        what = "a buffer" if update.buffer else "a rollout"
        yield resolved.diagnostic(
            "E101",
            resolved.first_explicit(("update", "minibatch_size"), ("update", "rollout_steps")),
            f"minibatches of {update.minibatch_size} do not divide {what} of {samples} steps",
            why="every minibatch has the same size, so that the update compiles to one shape",
            help=f"the nearest sizes that do: {', '.join(map(str, sizes))}",
        )
