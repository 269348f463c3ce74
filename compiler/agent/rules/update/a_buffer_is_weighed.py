"""E115: samples of an older policy count only by their importance."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.formula.objectives import policy_objective
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
def a_buffer_is_weighed(resolved: Resolved) -> Iterator[Diagnostic]:
    spec, buffer = resolved.spec, resolved.spec.update.buffer
    if buffer is None:
        return
    place = ("update", "buffer", "importance")
    if spec.advantage.estimator == "return":
        yield resolved.diagnostic(
            "E115",
            ("advantage", "estimator"),
            "the return of a whole episode has no per-decision weights",
            why="a reward before a decision says nothing about it, whoever made it",
            help="use `estimator: reward-to-go`, which counts each reward once",
        )
    if buffer.importance == "products":
        return
    if buffer.clip is not None:
        yield resolved.diagnostic(
            "E115",
            ("update", "buffer", "clip"),
            "`clip` limits products, and there are none",
            help="set `importance: products`, or clip the ratio in the objective",
        )
    one_step = spec.advantage.lambda_ == 0 and spec.advantage.estimator == "gae"
    if not one_step and spec.advantage.estimator != "q":
        yield resolved.diagnostic(
            "E115",
            place,
            "one ratio a sample corrects one decision, and the advantage spans several",
            help="set `estimator: gae` with `lambda: 0`, or `importance: products`",
        )
    try:
        weighed = policy_objective(spec).uses("ratio")
    except FormulaError:  # told by another check
        return
    if not weighed:
        yield resolved.diagnostic(
            "E115",
            place,
            f"nothing weighs old samples: `{spec.losses.policy.objective}` has no ratio",
            help="use an objective with `ratio` in it, or `importance: products`",
        )
