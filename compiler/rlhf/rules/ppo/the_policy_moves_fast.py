"""W404: a rate at which a pretrained model forgets."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.papers import HUANG, OUYANG
from ppoc.compiler.rlhf.resolved import RlhfResolved

FAST = 5e-5  # a rate of PPO for a pretrained model


@rule("W404", "model.id", "model.lora", "ppo.optimizer.lr", "stages", phase=Phase.ADVICE)
def the_policy_moves_fast(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    whole = spec.model.id is not None and spec.model.lora is None
    if "ppo" in spec.stages and whole and spec.ppo.optimizer.lr > FAST:
        yield resolved.diagnostic(
            "W404",
            ("ppo", "optimizer", "lr"),
            f"all weights of a pretrained model learn at {spec.ppo.optimizer.lr:g}",
            why=f"3e-6 to 1e-5 were used for it ({HUANG}; {OUYANG})",
            help="try 1e-5, or learn low-rank changes: `model.lora: {rank: 8}`",
        )
