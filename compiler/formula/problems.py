"""Problems of an objective, at their place in its formula."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from ppoc.compiler.formula.notation import statements
from ppoc.compiler.formula.objectives import named
from ppoc.compiler.formula.parser import FormulaError
from ppoc.compiler.formula.parser import Node as Formula
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.spec import ResolvedSpec


def formula_errors(
    resolved: ResolvedSpec,
    which: str,
    text: str,
    read: Callable[[], Formula],
    above: tuple[str, ...] = ("losses",),
) -> Iterator[Diagnostic]:
    """The faults of one objective, pointing into its formula where the spec has it.

    `read` parses it; `above` is the path of the losses.
    """
    try:
        statements(read(), "objective", {})
    except FormulaError as error:
        entry = named(which).get(text)
        why = f"`{text}` is {entry['formula']}" if entry else ""
        path = (*above, which, "objective")
        found = resolved.diagnostic("E201", path, error.message, why=why, help=error.help)
        span = found.span
        if span is not None and not entry and span.end_column - span.column >= len(text):
            # Into the formula; the text of a quoted scalar starts after the quote.
            first = span.column + (span.end_column - span.column > len(text))
            start, end = first + error.start, first + error.end
            found = replace(found, span=replace(span, column=start, end_column=end))
        yield found
