"""W405: random weights need larger steps than pretrained ones, which the defaults are for."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.resolved import RlhfResolved

SLOW = 1e-4  # a rate of anything for a new model


@rule(
    "W405", "model.config", "reward.optimizer.lr", "sft.optimizer.lr", "stages", phase=Phase.ADVICE
)
def a_new_model_learns_slowly(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    if spec.model.config is None:
        return
    for stage, optimizer in (("sft", spec.sft.optimizer), ("reward", spec.reward.optimizer)):
        if stage in spec.stages and optimizer.lr < SLOW:
            yield resolved.diagnostic(
                "W405",
                resolved.first_explicit((stage, "optimizer", "lr"), ("model", "config")),
                f"random weights learn at {optimizer.lr:g}, a rate for pretrained ones",
                why="at this rate a new model hardly leaves its random start",
                help=f"try `{stage}.optimizer.lr: 1e-3`",
            )
            return
