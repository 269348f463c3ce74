"""E412: answers of which none is preferred, since they are the same."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.data import READS, SameError
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E412", *READS, phase=Phase.PROBED)
def answers_differ(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for contents in facts.files.values():
        for line, fault in contents.faults:
            if isinstance(fault, SameError):
                span = line.span(fault.start, fault.end)
                yield Diagnostic("E412", fault.message, span, help=fault.help)
