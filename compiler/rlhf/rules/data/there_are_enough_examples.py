"""E414: nothing to learn from, or nothing left to evaluate on."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.data import READS
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E414", "data.held_out", *READS, phase=Phase.PROBED)
def there_are_enough_examples(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for name, contents in facts.files.items():
        where, file = ("data", name), contents.path.name
        if contents.unreadable or contents.faults:
            continue
        if contents.examples == 0:
            message = f"{file} has nothing to learn from"
            help = (
                "add lines, or look at `data.overlong`" if contents.longest_prompt else "add lines"
            )
            yield resolved.diagnostic("E414", where, message, help=help)
        elif contents.prompts < 2 and resolved.spec.data.held_out:
            message = f"{file} has one prompt, so none can be held out"
            help = "add lines with other prompts, or set `data.held_out: 0`"
            yield resolved.diagnostic("E414", where, message, help=help)
