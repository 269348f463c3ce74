"""W409: a model judged on what it learnt from."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W409", "data.held_out", phase=Phase.ADVICE)
def nothing_is_held_out(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    if resolved.spec.data.held_out == 0:
        yield resolved.diagnostic(
            "W409",
            ("data", "held_out"),
            "nothing is held out, so the comparison is on prompts that were learnt from",
            why="a model that learnt them by heart looks as good as one that learnt the task",
            help="set `held_out: 0.1`",
        )
