"""W201: a policy that outruns its value function follows the advantages of an older one."""

from collections.abc import Iterator

from ppoc.compiler.front.advice import LECTURE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W201", "ppo.optimizer.lr", "ppo.value_optimizer.lr", "stages", phase=Phase.ADVICE)
def the_value_function_learns_slower(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    ppo = resolved.spec.ppo
    if "ppo" in resolved.spec.stages and ppo.value_optimizer is not None:
        rate = ppo.value_optimizer.lr
        if rate < ppo.optimizer.lr:
            yield resolved.diagnostic(
                "W201",
                resolved.first_explicit(
                    ("ppo", "value_optimizer", "lr"), ("ppo", "optimizer", "lr")
                ),
                f"the value function learns slower ({rate:g}) than the policy "
                f"({ppo.optimizer.lr:g})",
                why=f"advantages are only as good as the values they come from ({LECTURE})",
                help="raise ppo.value_optimizer.lr to the policy's rate or above",
            )
