"""Run an experiment in its folder: what is not finished yet, on the engine that is asked for."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.work import work_of
from ppoc.experiments.conductor import Conductor, conduct
from ppoc.experiments.display.display import Display
from ppoc.experiments.engines.engine import Engine, Job
from ppoc.experiments.engines.named import asked, engine_for
from ppoc.experiments.engines.planning import Plan, plan
from ppoc.experiments.experiment_folder import record_of
from ppoc.formats.experiment import ExperimentRecord, RunRecord


@dataclass(frozen=True)
class Wishes:
    """Wishes of the person at the terminal, besides the spec.

    Attributes:
        jobs: side by side; None: as the spec says.
        engine: its name; None: as the spec says.
        device: where to train; None: as the specs of runs say.
        retry_failed: whether runs that failed are tried again.
        trust: whether code that specs name is imported.
        debug: whether tracebacks are shown.
    """

    jobs: int | None = None
    engine: str | None = None
    device: str | None = None
    retry_failed: bool = False
    trust: bool = False
    debug: bool = False


def run_experiment(
    folder: Path,
    resolved: ExperimentResolved,
    display: Display,
    wishes: Wishes,
    say: Callable[[str], None],
) -> ExperimentRecord:
    """Run what is left of an experiment; its results, which results.json has too.

    A signal stops it: runs save, and the same call goes on with them.

    Args:
        folder: has the compiled files of all runs.
        say: tells people what is planned, before the display opens.

    Raises:
        EngineError: the engine cannot be used, or is lost.
        ExperimentError: the folder cannot be used.
        OSError: results.json cannot be written.
    """
    hours = resolved.spec.budget.hours
    return run_members(folder, resolved, resolved.members, display, wishes, say, hours)


def run_members(
    folder: Path,
    resolved: ExperimentResolved,
    members: Sequence[Member],
    display: Display,
    wishes: Wishes,
    say: Callable[[str], None],
    hours: float | None = None,
) -> ExperimentRecord:
    """Run what is left of some runs of an experiment, as `run_experiment` does.

    Args:
        hours: after which nothing new is begun.
    """
    folder = folder.resolve()
    record, notes = record_of(folder, resolved, members)
    for note in notes:
        say(note)
    planned = planned_for(resolved, wishes, len(members))
    todo = [run for run in record.runs if is_to_be_run(run, wishes)]
    chosen = wishes if todo else replace(wishes, engine="local")
    engine = open_engine(folder, resolved, planned, chosen, display)
    say(_in_words(record, len(todo), engine.place))
    conductor = Conductor(folder, record, engine, display)
    wanted = {run.run for run in todo}
    named = {member.name: member for member in members}
    for run in record.runs:
        member = named[run.run]
        job = job_of(folder, run, member, planned, wishes) if run.run in wanted else None
        conductor.add(run, job, member.steps)
    conduct(conductor, display, hours=hours)
    return conductor.record


def open_engine(
    folder: Path, resolved: ExperimentResolved, planned: Plan, wishes: Wishes, display: Display
) -> Engine:
    """The engine that the person or the spec asks for; raises EngineError where it cannot be."""
    where = asked(resolved.spec.engine, wishes.engine)
    return engine_for(where, folder, planned, _jobs_asked(resolved, wishes), display.message)


def is_to_be_run(run: RunRecord, wishes: Wishes) -> bool:
    """Whether there is something left of a run to be made."""
    return run.state == "waiting" or (run.state == "failed" and wishes.retry_failed)


def _in_words(record: ExperimentRecord, todo: int, place: str) -> str:
    """The runs that are there of an experiment, and those to be made."""
    states = Counter(run.state for run in record.runs)
    failed = f"{states['failed']} failed"
    said = [
        *([f"{states['finished']} finished before"] if states["finished"] else []),
        *([f"{failed} (--retry-failed tries again)"] if states["failed"] else []),
        *([f"{todo} to run on {place}"] if todo else []),
    ]
    return f"runs of {record.name}: {', '.join(said)}"


def _jobs_asked(resolved: ExperimentResolved, wishes: Wishes) -> int | None:
    """Runs side by side, where a person or the spec says how many."""
    jobs = resolved.spec.jobs
    return wishes.jobs or (jobs if isinstance(jobs, int) else None)


def planned_for(resolved: ExperimentResolved, wishes: Wishes, runs: int) -> Plan:
    """The plan for so many runs on the machine, of jobs that a person or the spec asks for.

    Elsewhere, runs have the threads that the engine is to give them.
    """
    jobs, engine = _jobs_asked(resolved, wishes), resolved.spec.engine
    if (wishes.engine or engine.name) != "local":
        return Plan(jobs or runs, engine.cpus or 1)
    specs: list[Any] = [one.resolved.spec for _, one in resolved.examined if one.resolved]
    devices = {wishes.device or spec.training.device for spec in specs}
    return plan(runs, jobs, device="cpu" if devices == {"cpu"} else "auto")


def job_of(folder: Path, run: RunRecord, member: Member, planned: Plan, wishes: Wishes) -> Job:
    """The job of a run in an experiment's folder; one that was begun keeps its threads."""
    return Job(
        run.run,
        folder / run.run,
        run.threads or planned.threads,
        gpu=bool(planned.gpus),
        device=wishes.device,
        trust=wishes.trust,
        debug=wishes.debug,
        work=work_of(member.resolved),
    )
