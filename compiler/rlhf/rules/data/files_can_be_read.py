"""E410: a data file that cannot be read."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.data import READS
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved, shown


@rule("E410", *READS, phase=Phase.PROBED)
def files_can_be_read(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for name, contents in facts.files.items():
        if contents.unreadable:
            message = f"cannot read {shown(contents.path)}: {contents.unreadable}"
            help = "a path is relative to the file that has it, and of a flag to the current folder"
            yield resolved.diagnostic("E410", ("data", name), message, help=help)
