"""E307: a search chooses its own settings."""

from collections.abc import Iterator

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E307", "search", "variants", "vary")
def a_search_stands_alone(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    for key, given in (("variants", spec.variants), ("vary", spec.vary)):
        if spec.search is not None and given:
            yield resolved.diagnostic(
                "E307",
                (key,),
                f"`search` and `{key}` in one experiment",
                why="a search chooses the settings, the other lists them",
                help="put the values into `search.space` as `{choice: […]}`, or remove one of both",
            )
