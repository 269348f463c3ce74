"""E115: samples of an older policy count only by their importance."""

from collections.abc import Iterator

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.formula.parser import FormulaError
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule(
    "E115",
    "advantage.estimator",
    "advantage.lambda",
    "losses.policy.epsilon",
    "losses.policy.objective",
    "losses.policy.parameters",
    "update.buffer.clip",
    "update.buffer.importance",
)
def a_buffer_is_weighed(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec, buffer = resolved.spec, resolved.spec.update.buffer
    estimator = estimator_of(spec.advantage)
    for refusal in estimator.refuses(buffer):
        where, what = refusal.path, refusal.message
        yield resolved.diagnostic("E115", where, what, why=refusal.why, help=refusal.help)
    if buffer is None or buffer.importance == "products":
        return
    place = ("update", "buffer", "importance")
    if buffer.clip is not None:
        yield resolved.diagnostic(
            "E115",
            ("update", "buffer", "clip"),
            "`clip` limits products, and there are none",
            help="set `importance: products`, or clip the ratio in the objective",
        )
    if not estimator.one_decision(spec.advantage):
        yield resolved.diagnostic(
            "E115",
            place,
            "one ratio a sample corrects one decision, and the advantage spans several",
            help="set `estimator: gae` with `lambda: 0`, or `importance: products`",
        )
    try:
        weighed = spec.policy_objective.uses("ratio")
    except FormulaError:  # told by another check
        return
    if not weighed:
        yield resolved.diagnostic(
            "E115",
            place,
            f"nothing weighs old samples: `{spec.losses.policy.objective}` has no ratio",
            help="use an objective with `ratio` in it, or `importance: products`",
        )
