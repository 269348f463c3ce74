"""E416: folders to start from that are no runs of language models."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved, shown


@rule("E416", "start.policy", "start.reward", phase=Phase.PROBED)
def starts_are_runs(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for what, other in facts.starts.items():
        folder = resolved.file("start", what)
        if other is None:
            message = f"{shown(folder)} is no run folder, for its spec.lock.yaml is not one"
            help = "give a folder that `ppoc run` wrote, relative to this file"
            yield resolved.diagnostic("E416", ("start", what), message, help=help)
        elif other.kind is not resolved.kind:
            message = f"{shown(folder)} is the run of an agent in an environment"
            help = "give the run folder of a spec of `kind: rlhf`"
            yield resolved.diagnostic("E416", ("start", what), message, help=help)
