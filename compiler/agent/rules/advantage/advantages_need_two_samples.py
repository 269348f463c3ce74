"""E109: the standard deviation of one sample is not a number."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E109", "advantage.normalize", "update.minibatch_size", "update.rollout_steps")
def advantages_need_two_samples(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    advantage, update = resolved.spec.advantage, resolved.spec.update
    whole = update.minibatch_size == "all"
    if advantage.normalize and (update.rollout_steps if whole else update.minibatch_size) == 1:
        yield resolved.diagnostic(
            "E109",
            ("update", "rollout_steps" if whole else "minibatch_size"),
            "advantages are normalised within a minibatch, and this one has one sample",
            help="take larger minibatches, or set advantage.normalize to false",
        )
