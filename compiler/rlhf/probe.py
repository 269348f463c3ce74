"""Facts in files of a spec of `kind: rlhf`: its data, its model, the runs it starts from.

Nothing is downloaded, and no weights are read.
"""

from dataclasses import dataclass
from functools import cached_property

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.rules import Phase
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.rlhf.data import Contents, files_read, read_file
from ppoc.compiler.rlhf.memory import Memory, memory
from ppoc.compiler.rlhf.pretrained import known_sizes, starts
from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.compiler.rlhf.sizes import Sizes


@dataclass(frozen=True)
class RlhfFacts:
    """The facts that a spec's files tell, each looked up when it is asked for."""

    resolved: RlhfResolved

    @cached_property
    def files(self) -> dict[str, Contents]:
        """The data that its stages read, by the key that names the file."""
        return {name: read_file(self.resolved, name) for name in files_read(self.resolved)}

    @cached_property
    def sizes(self) -> Sizes | None:
        """The sizes of the model; None where they are not known here."""
        return known_sizes(self.resolved)

    @cached_property
    def memory(self) -> Memory | None:
        """The memory of the stage that takes most; None where sizes are not known."""
        return memory(self.resolved, self.sizes) if self.sizes is not None else None

    @cached_property
    def starts(self) -> dict[str, ResolvedSpec | None]:
        """The runs that it starts from, by the model that each has; None for what is no run."""
        return starts(self.resolved)


def probe(resolved: RlhfResolved) -> tuple[RlhfFacts, list[Diagnostic]]:
    """The facts of a spec, and warnings.

    Raises:
        SpecError: with every problem of its files.
    """
    facts = RlhfFacts(resolved)
    found = resolved.findings(Phase.PROBED, facts)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise SpecError(found)
    return facts, found
