"""The result of a run, in words."""

from collections.abc import Iterator, Mapping

from ppoc.runtime.kinds import kind_named
from ppoc.runtime.run.results import Result


def report(result: Result) -> Iterator[str]:
    """Lines for people, of what a run came to."""
    kind = kind_named(result.kind)
    took = f"{result.steps:,} {kind.unit(result.stage)}"
    if result.earlier:
        yield f"the run is finished, at {took}; there is nothing to resume"
    elif result.stopped:
        yield f"stopped {stopped_at(result)}"
    else:
        included = ", evaluation included" if result.evaluation else ""
        yield f"{took} in {result.seconds:.1f} s{included}"
    yield from measured(result.evaluations)
    if result.finished:
        yield from filter(None, [kind.describe(result.evaluation)])
    elif not result.stopped:
        yield f"{result.stage} is done; `ppoc run {result.folder} --resume` goes on"


def stopped_at(result: Result) -> str:
    """Where a signal stopped a run."""
    kind = kind_named(result.kind)
    stages = kind.place(result.folder, result.stage) != result.folder
    where = f"in {result.stage} " if stages else ""
    return f"{where}at {result.steps:,} {kind.unit(result.stage)}"


def measured(evaluations: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """A line for each stage that was measured on what was held out."""
    for stage, row in evaluations.items():
        if row:
            values = ", ".join(f"{key} {value:.4g}" for key, value in row.items())
            yield f"{stage}, held out: {values}"
