"""W407: the reward model saw responses that end."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.papers import HUANG
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W407", "ppo.rewards.missing_end", "stages", phase=Phase.ADVICE)
def what_never_ends_is_scored(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    rewards = resolved.spec.ppo.rewards
    if "ppo" in resolved.spec.stages and rewards.missing_end is None:
        yield resolved.diagnostic(
            "W407",
            ("ppo", "rewards", "missing_end"),
            "responses that are cut off are scored like whole ones",
            why=f"the reward model saw none such, and the policy may learn not to end ({HUANG})",
            help="set `missing_end: -1`",
        )
