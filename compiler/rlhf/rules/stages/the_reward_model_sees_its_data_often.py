"""W403: a pretrained model learns its preferences by heart."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.papers import OUYANG
from ppoc.compiler.rlhf.resolved import RlhfResolved

REWARD_EPOCHS = 2


@rule("W403", "model.id", "reward.epochs", "stages", phase=Phase.ADVICE)
def the_reward_model_sees_its_data_often(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    if "reward" in spec.stages and spec.model.id and spec.reward.epochs > REWARD_EPOCHS:
        yield resolved.diagnostic(
            "W403",
            ("reward", "epochs"),
            f"{spec.reward.epochs} epochs over the preferences",
            why=f"a reward model overfits after the first ({OUYANG}, appendix C.2)",
            help="take one epoch, and watch the accuracy on held-out preferences",
        )
