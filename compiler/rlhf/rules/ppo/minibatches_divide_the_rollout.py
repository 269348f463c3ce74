"""E101: every minibatch has the same number of responses."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.front.suggest import nearest_divisors
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E101", "ppo.minibatch_size", "ppo.rollout_size", "stages")
def minibatches_divide_the_rollout(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    ppo = resolved.spec.ppo
    if "ppo" in resolved.spec.stages and ppo.rollout_size % ppo.minibatch_size:
        sizes = nearest_divisors(ppo.rollout_size, ppo.minibatch_size)
        yield resolved.diagnostic(
            "E101",
            resolved.first_explicit(("ppo", "minibatch_size"), ("ppo", "rollout_size")),
            f"minibatches of {ppo.minibatch_size} do not divide a rollout of "
            f"{ppo.rollout_size} responses",
            why="every minibatch has the same size, so that each gradient step counts alike",
            help=f"the nearest sizes that do: {', '.join(map(str, sizes))}",
        )
