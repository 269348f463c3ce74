"""The loop of an experiment: starts runs while there is room, and notes how they end."""

import time
from pathlib import Path

from ppoc.experiments.display import Display
from ppoc.experiments.engine import Engine, Job, Outcome
from ppoc.experiments.progress import Progress, progress
from ppoc.experiments.run_folder import ending
from ppoc.experiments.stopping import requests
from ppoc.experiments.view import Meter, RunView, View
from ppoc.formats.experiment import ExperimentRecord, RunRecord, write

TICK_SECONDS = 0.1
LOOK_SECONDS = 1.0  # between looks at how far runs are
WRITE_SECONDS = 10.0  # between results.json where only steps have changed
REASON = 2_000  # characters


class Conductor:
    """The runs of an experiment and the engine that makes them; results.json says where they are.

    Attributes:
        stopping: whether nothing new is started.
    """

    def __init__(
        self, folder: Path, record: ExperimentRecord, engine: Engine, display: Display
    ) -> None:
        """Write results.json into the experiment's folder; `add` says what is to be run.

        Raises:
            OSError: it cannot be written.
        """
        self.stopping = False
        self._folder, self._engine, self._display = folder, engine, display
        self._record = record
        self._runs = {run.run: run for run in record.runs}
        self._jobs: dict[str, Job] = {}
        self._totals: dict[str, int] = {}
        self._waiting: dict[str, None] = {}
        self._running: dict[str, float] = {}  # run → when it was started
        self._seen: dict[str, Progress | None] = {}
        self._meters: dict[str, Meter] = {}
        self._begun = time.monotonic()
        self._looked = self._written = 0.0
        self._write()

    @property
    def record(self) -> ExperimentRecord:
        """The experiment as it is now."""
        return self._record.model_copy(update={"runs": list(self._runs.values())})

    @property
    def active(self) -> bool:
        """Whether anything runs, or is still to be run."""
        return bool(self._running or (self._waiting and not self.stopping))

    @property
    def room(self) -> int:
        """Runs that could begin now besides those that wait already."""
        return max(0, self._engine.slots - len(self._running) - len(self._waiting))

    @property
    def seconds(self) -> float:
        """Seconds since this began."""
        return time.monotonic() - self._begun

    def add(self, run: RunRecord, job: Job | None, total: int = 0) -> None:
        """Take a run into the experiment, or another state of one.

        Args:
            job: how to make it; None where it is only to be shown.
            total: steps of the whole run; 0 where nobody knows.
        """
        self._totals[run.run] = total
        self._seen[run.run] = progress(job.folder if job else self._folder / run.run)
        self._runs[run.run] = run
        if job is not None:
            self._jobs[run.run] = job
            self._waiting[run.run] = None

    def stop(self, run: str | None = None) -> None:
        """Ask a run, or all, to save and end; of all, nothing new is started either."""
        if run is None:
            self.stopping = True
            self._engine.stop()
        elif run in self._running:
            self._engine.stop(self._jobs[run])
        elif run in self._waiting:
            del self._waiting[run]
            self._set(run, state="stopped")

    def step(self) -> list[RunRecord]:
        """Start what there is room for and note what has ended; the runs that have ended.

        In this order, so that one who is told of an end may still stop what waits for its place.
        """
        started = False
        while self._waiting and not self.stopping and len(self._running) < self._engine.slots:
            self._start(next(iter(self._waiting)))
            started = True
        ended = [self._note(job, outcome) for job, outcome in self._engine.ended()]
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            for name in self._running:
                self._look(name)
        if ended or started or now - self._written >= WRITE_SECONDS:
            self._write()
        self._display.show(self.view())
        return ended

    def end(self) -> None:
        """Let go of the engine, at once; runs under way have stopped then."""
        self._engine.close()
        for name in list(self._running):
            self._note(self._jobs[name], Outcome("stopped"))
        self._write()
        self._display.show(self.view())

    def view(self) -> View:
        """Everything as a display shows it."""
        runs = [self._view(name) for name in self._runs]
        return View(runs, self._engine.slots, self.seconds)

    def _view(self, name: str) -> RunView:
        run = self._runs[name]
        rate = self._meters[name].rate if name in self._running else None
        seen, total = self._seen.get(name), self._totals.get(name, 0)
        return RunView(name, run.state, seen, total, rate, run.score, run.reason)

    def _start(self, name: str) -> None:
        job = self._jobs[name]
        del self._waiting[name]
        self._running[name] = time.monotonic()
        self._meters[name] = Meter()
        self._set(name, state="running", reason=None, threads=job.threads)
        self._engine.start(job)

    def _look(self, name: str) -> None:
        found = progress(self._jobs[name].folder)
        if found is not None:
            self._seen[name] = found
            self._meters[name].note(time.monotonic(), found.step)
            self._set(name, steps=found.step)

    def _note(self, job: Job, outcome: Outcome) -> RunRecord:
        """Note how an attempt has ended."""
        seconds = time.monotonic() - self._running.pop(job.name)
        self._look(job.name)
        run, found = self._runs[job.name], ending(job.folder)
        if outcome.state == "finished" and found is not None:
            before = seconds < found.seconds  # it was made, and not by this attempt
            seconds = max(0.0, found.seconds - run.seconds) if before else found.seconds
            self._set(job.name, steps=found.steps, score=found.score, reason=None)
        else:
            self._set(job.name, reason=outcome.reason and outcome.reason[:REASON])
        self._set(job.name, state=outcome.state, seconds=round(run.seconds + seconds, 3))
        return self._runs[job.name]

    def _set(self, name: str, **values: object) -> None:
        self._runs[name] = self._runs[name].model_copy(update=values)

    def _write(self) -> None:
        self._written = time.monotonic()
        write(self._folder, self.record)


def conduct(conductor: Conductor, display: Display, *, hours: float | None = None) -> None:
    """Make all runs, until they are done or a signal stops it.

    Args:
        hours: after which nothing new is begun.
    """
    told = False
    with requests() as asked, display:
        try:
            while conductor.active and not asked.at_once:
                if asked.stop and not conductor.stopping:
                    conductor.stop()
                    display.message("stopping: runs save a checkpoint; again: at once")
                if hours is not None and conductor.seconds > 3600 * hours and not told:
                    told = conductor.stopping = True
                    display.message(f"budget.hours, {hours:g}, is used up: nothing new is begun")
                conductor.step()
                time.sleep(TICK_SECONDS)
        finally:
            conductor.end()
