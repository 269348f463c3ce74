"""E308: a range has one form, its ends rise, and values between them are of the key's type."""

from collections.abc import Iterator
from typing import Any, get_args

from ppoc.compiler.experiment.language.search import Range
from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.validate import annotation_at

FORMS = ("log", "range", "int", "choice")
SHOWN = "`{log: [1e-5, 1e-2]}`, `{range: [0.9, 1]}`, `{int: [1, 20]}` or `{choice: [tanh, relu]}`"


@rule("E308", "search.space")
def ranges_are_ranges(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    if resolved.spec.search is None:
        return
    for key, where in resolved.spec.search.space.items():
        path = ("search", "space", key)
        given = _given(where)
        if len(given) != 1:
            said = " and ".join(f"`{form}`" for form in given) or "no range"
            message = f"`{key[:200]}` has {said}"
            yield resolved.diagnostic("E308", path, message, help=f"give one of {SHOWN}")
            continue
        form, ends = next(iter(given.items()))
        if form == "choice":
            continue
        low, high = ends
        if low >= high:
            message = f"the ends of `{key[:200]}` do not rise: {low:g}, {high:g}"
            help = f"write `{{{form}: [{high:g}, {low:g}]}}`" if low > high else "change one"
            yield resolved.diagnostic("E308", (*path, form), message, help=help)
        elif form == "log" and low <= 0:
            message = f"`{key[:200]}` has no logarithm at {low:g}"
            help = "begin above 0, or write `range` for even steps"
            yield resolved.diagnostic("E308", (*path, form), message, help=help)


@rule("E308", "search.space", phase=Phase.PLANNED)
def whole_numbers_are_searched_whole(
    resolved: ExperimentResolved, plan: Plan
) -> Iterator[Diagnostic]:
    if resolved.spec.search is None:
        return
    models = [cell.base.kind.model for cell in plan.cells[:1]]
    for model in models:
        for key, where in resolved.spec.search.space.items():
            given = _given(where)
            form = next((form for form in ("log", "range") if form in given), None)
            if form is not None and _is_whole(annotation_at(model, key.split("."))):
                low, high = given[form]
                yield resolved.diagnostic(
                    "E308",
                    ("search", "space", key, form),
                    f"`{key[:200]}` is a whole number, and `{form}` has others too",
                    help=f"write `{{int: [{low:.0f}, {high:.0f}]}}`",
                )


def _given(where: Range) -> dict[str, Any]:
    return {form: ends for form in FORMS if (ends := getattr(where, form)) is not None}


def _is_whole(annotation: Any) -> bool:
    parts = {annotation, *get_args(annotation)}
    inner = {get_args(part)[0] for part in parts if hasattr(part, "__metadata__")}
    return int in parts | inner and float not in parts | inner
