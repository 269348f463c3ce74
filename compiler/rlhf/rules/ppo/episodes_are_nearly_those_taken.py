"""W101: the last rollout goes on for long after the total."""

from collections.abc import Iterator

from ppoc.compiler.front.advice import MORE_STEPS
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.constants import episodes_taken
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W101", "ppo.episodes", "ppo.rollout_size", "stages")
def episodes_are_nearly_those_taken(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    ppo, taken = resolved.spec.ppo, episodes_taken(resolved.spec)
    if "ppo" in resolved.spec.stages and taken > MORE_STEPS * ppo.episodes:
        below = taken - ppo.rollout_size
        totals = f"{below:,} or {taken:,}" if below else f"{taken:,}"
        yield resolved.diagnostic(
            "W101",
            resolved.first_explicit(("ppo", "episodes"), ("ppo", "rollout_size")),
            f"a run of {ppo.episodes:,} responses takes {taken:,}: rollouts of "
            f"{ppo.rollout_size:,}",
            why="the last rollout is as large as the others",
            help=f"set ppo.episodes to {totals}, or lower ppo.rollout_size",
        )
