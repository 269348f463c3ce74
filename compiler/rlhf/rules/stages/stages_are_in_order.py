"""E402: each step takes what the one before it leaves."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.language.values import STAGES
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E402", "stages")
def stages_are_in_order(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    stages = resolved.spec.stages
    ordered = [stage for stage in STAGES if stage in stages]
    if stages != ordered:
        yield resolved.diagnostic(
            "E402",
            ("stages",),
            f"the stages are {', '.join(stages)}",
            why="each takes what those before it leave: sft, then reward, then ppo",
            help=f"write `stages: [{', '.join(ordered)}]`",
        )
