"""Run an experiment in its folder: what is not finished yet, on the engine that is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.experiments.conductor import Conductor, conduct
from ppoc.experiments.display import Display
from ppoc.experiments.engine import Job
from ppoc.experiments.engines import engine_named
from ppoc.experiments.experiment_folder import record_of
from ppoc.experiments.planning import Plan, plan
from ppoc.formats.experiment import ExperimentRecord, RunRecord


@dataclass(frozen=True)
class Wishes:
    """What the person at the terminal asks for, besides the spec.

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
        ExperimentError: the folder or the engine cannot be used.
        OSError: results.json cannot be written.
    """
    folder = folder.resolve()
    record, notes = record_of(folder, resolved)
    for note in notes:
        say(note)
    planned = planned_for(resolved, wishes)
    todo = [run for run in record.runs if is_to_be_run(run, wishes)]
    if len(todo) < len(record.runs):
        say(
            f"{len(record.runs) - len(todo)} of {len(record.runs)} runs are not run: {_why(record)}"
        )
    engine = engine_named(resolved.spec.engine, wishes.engine, planned, display.message)
    if todo:
        say(f"{len(todo)} runs on {engine.place}")
    conductor = Conductor(folder, record, engine, display)
    wanted = {run.run for run in todo}
    steps = {member.name: member.steps for member in resolved.members}
    for run in record.runs:
        job = job_of(folder, run, planned, wishes) if run.run in wanted else None
        conductor.add(run, job, steps[run.run])
    conduct(conductor, display, hours=resolved.spec.budget.hours)
    return conductor.record


def is_to_be_run(run: RunRecord, wishes: Wishes) -> bool:
    """Whether there is something left of a run to be made."""
    return run.state == "waiting" or (run.state == "failed" and wishes.retry_failed)


def _why(record: ExperimentRecord) -> str:
    failed = sum(run.state == "failed" for run in record.runs)
    finished = sum(run.state == "finished" for run in record.runs)
    said = [f"{finished} are finished"] if finished else []
    return ", ".join([*said, *([f"{failed} failed (--retry-failed)"] if failed else [])])


def planned_for(resolved: ExperimentResolved, wishes: Wishes) -> Plan:
    """The plan for the machine, of jobs that a person or the spec asks for."""
    asked = resolved.spec.jobs
    jobs = wishes.jobs or (asked if isinstance(asked, int) else None)
    specs: list[Any] = [member.resolved.spec for member in resolved.members]
    devices = {wishes.device or spec.training.device for spec in specs}
    return plan(len(resolved.members), jobs, device="cpu" if devices == {"cpu"} else "auto")


def job_of(folder: Path, run: RunRecord, planned: Plan, wishes: Wishes) -> Job:
    """The job of a run in an experiment's folder; one that was begun keeps its threads."""
    return Job(
        run.run,
        folder / run.run,
        run.threads or planned.threads,
        gpu=bool(planned.gpus),
        device=wishes.device,
        trust=wishes.trust,
        debug=wishes.debug,
    )
