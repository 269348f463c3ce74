"""Time and memory that an experiment takes, by the rates that were measured on this machine."""

from collections.abc import Iterator

from ppoc.compiler.experiment.plan import Plan
from ppoc.compiler.work import work_of
from ppoc.formats import rates

UNKNOWN = (
    "Time and memory: not measured here yet. `ppoc run` notes the rate of each run that ends; "
    "one seed first, `ppoc run SPEC -s seeds=1`, measures them."
)


def estimate(plan: Plan) -> Iterator[str]:
    """Sentences on the time and memory of all runs; none is made up where nothing was measured."""
    known = rates.read()
    found = []
    for _, one in plan.examined:
        if one.resolved is not None:
            steps = one.resolved.kind.length(one.resolved)
            found.append((steps, known.get(work_of(one.resolved)) if steps else None))
    measured = [(steps, rate) for steps, rate in found if rate is not None]
    if not measured:
        yield UNKNOWN
        return
    seconds = sum(steps / rate.steps_per_second for steps, rate in measured) * len(plan.seeds)
    runs = len(measured) * len(plan.seeds)
    of = f" of {runs} of the {len(found) * len(plan.seeds)} runs" if measured != found else ""
    yield f"Time{of}: about {duration(seconds)} one after the other, by rates measured here."
    memory = [rate.mib for _, rate in measured if rate.mib is not None]
    if memory:
        yield f"Memory: up to {max(memory):,.0f} MiB a run."
    if measured != found:
        yield "The others were not measured here yet; `ppoc run` notes their rates."


def duration(seconds: float) -> str:
    """A time in one unit, rounded as an estimate is."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"
