"""E413: texts of more tokens than may be."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.data import READS, LongError
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E413", *READS, phase=Phase.PROBED)
def texts_are_short_enough(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for contents in facts.files.values():
        for line, fault in contents.faults:
            if isinstance(fault, LongError):
                span = line.span(fault.start, fault.end)
                yield Diagnostic("E413", fault.message, span, help=fault.help)
