"""E406: β is multiplied to follow the target, and 0 stays 0."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E406", "ppo.kl.beta", "ppo.kl.target")
def a_target_moves_something(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    kl = resolved.spec.ppo.kl
    if kl.target is not None and kl.beta == 0:
        yield resolved.diagnostic(
            "E406",
            resolved.first_explicit(("ppo", "kl", "beta"), ("ppo", "kl", "target")),
            "β = 0 cannot follow a KL target",
            why="β grows and shrinks by factors (Ziegler et al. 2019), and 0 times any is 0",
            help="give `ppo.kl.beta` a first value such as 0.1, or remove the target",
        )
