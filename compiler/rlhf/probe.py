"""Facts in files of a spec of `kind: rlhf`: its data, its model, the runs it starts from.

Nothing is downloaded, and no weights are read.
"""

from dataclasses import dataclass, field

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.rlhf.data import Facts, survey
from ppoc.compiler.rlhf.memory import Memory, memory, too_large
from ppoc.compiler.rlhf.pretrained import new_sizes, own_tokenizer, pretrained, starts
from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.compiler.rlhf.sizes import Sizes


@dataclass(frozen=True)
class RlhfFacts:
    """The facts that a spec's files tell."""

    files: dict[str, Facts] = field(default_factory=dict)  # by the key of `data`
    sizes: Sizes | None = None  # of the model; None where it is not known here
    memory: Memory | None = None


def look(resolved: RlhfResolved) -> tuple[RlhfFacts, list[Diagnostic]]:
    """The facts of a spec, and every problem with its files."""
    files, found = survey(resolved)
    sizes, wrong = pretrained(resolved)
    sizes = sizes or new_sizes(resolved)
    found += [*wrong, *own_tokenizer(resolved), *starts(resolved)]
    if sizes is None:
        return RlhfFacts(files), found
    found += resolved.unsuppressed(too_large(resolved, sizes))
    return RlhfFacts(files, sizes, memory(resolved, sizes)), found


def probe(resolved: RlhfResolved) -> tuple[RlhfFacts, list[Diagnostic]]:
    """The facts of a spec, and warnings.

    Raises:
        SpecError: with every problem of its files.
    """
    facts, found = look(resolved)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise SpecError(found)
    return facts, found
