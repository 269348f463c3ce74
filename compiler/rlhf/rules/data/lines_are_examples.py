"""E411: lines of data that are no examples."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.data import READS, LongError, SameError
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E411", *READS, phase=Phase.PROBED)
def lines_are_examples(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for name, contents in facts.files.items():
        for line, fault in contents.faults:
            if not isinstance(fault, SameError | LongError):
                span = line.span(fault.start, fault.end)
                yield Diagnostic("E411", fault.message, span, help=fault.help)
        if contents.more_faults:
            file = contents.path.name
            message = (
                f"{contents.more_faults:,} more lines of {file} have faults such as those shown"
            )
            help = "mend the first ones, look again"
            yield resolved.diagnostic("E411", ("data", name), message, help=help)
