"""The engine `slurm`: runs as jobs of SLURM, handed to it by submitit.

A job that is preempted, or reaches its time limit, lets its run save and is queued again, where the
run goes on; one that is lost is submitted anew.
"""

import logging
import math
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.experiments.engines.attempt import FAILED
from ppoc.experiments.engines.engine import EngineError, Job, Outcome
from ppoc.experiments.engines.remote import Losses, RemoteAttempt
from ppoc.formats.folders import remove
from ppoc.formats.text import printable

FOLDER = ".slurm"  # in that of the experiment: what submitit and its jobs hand each other
HOURS = 4.0
SAVE_SECONDS = 120  # before the limit, for a run to save
LOOK_SECONDS, STATE_SECONDS = 1.0, 60  # between looks at results, and at what SLURM says
RESULT_SECONDS = 5.0  # until storage shows the result of a job that is over
ALL = 1000  # jobs in the queue at once: the indices of an array go no further
TIMES = 10_000  # that a job may reach its time limit
RULE = "-" * 22  # before and after the trace, in the texts of submitit
LOST = "its job was lost"


class SlurmAttempt(RemoteAttempt):
    """An attempt that submitit asks for what is left of it, when its job has to make room."""

    def checkpoint(self, job: Job) -> Any:
        """Let the run save; what is to be called in the next job."""
        from submitit.helpers import DelayedSubmission

        self.stop(SAVE_SECONDS * 0.75)
        return DelayedSubmission(SlurmAttempt(), job)


def require(spec: EngineSpec) -> None:
    """See that jobs can be submitted.

    Raises:
        EngineError: they cannot.
    """
    if find_spec("submitit") is None:
        raise EngineError("the engine slurm needs submitit: pip install 'ppoc[slurm]'")
    missing = [name for name in ("sbatch", "srun", "scancel", "sacct") if not shutil.which(name)]
    if missing:
        raise EngineError(
            f"the engine slurm needs the commands of SLURM, and there is no {missing[0]} here: "
            "run it on a machine that submits jobs"
        )
    if spec.gpus != int(spec.gpus):
        raise EngineError(f"SLURM gives whole GPUs, and engine.gpus is {spec.gpus:g}")


class SlurmEngine:
    """Runs as jobs of SLURM, which end with nobody: those of a killed experiment go on.

    Attributes:
        slots: jobs that are in the queue or run.
        place: SLURM, and what a run has of it.
    """

    def __init__(
        self,
        spec: EngineSpec,
        folder: Path,
        jobs: int | None,
        say: Callable[[str], None],
        *,
        cluster: str = "slurm",
    ) -> None:
        """Make ready to submit; nothing is yet.

        Args:
            folder: of the experiment, absolute, on storage that all machines share.
            jobs: runs side by side; None: as many as SLURM finds room for.
            say: tells people of jobs that are lost.
            cluster: a name of submitit's, "local" for processes of this machine.

        Raises:
            OSError: the folder cannot be written to.
        """
        import submitit
        from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

        logging.getLogger("submitit").setLevel(logging.CRITICAL)
        SlurmJob.watcher = SlurmInfoWatcher(delay_s=STATE_SECONDS)
        self._folder = folder / FOLDER
        remove(self._folder)  # of whoever wrote it: its files are programs
        self._folder.mkdir(mode=0o700)
        self._executor = submitit.AutoExecutor(
            self._folder,
            cluster=cluster,
            slurm_max_num_timeout=TIMES,
            # Python searches no folder that a job happens to stand in.
            slurm_python=f"{shlex.quote(sys.executable)} -P",
        )
        self._spec, self._say = spec, say
        self.slots = jobs or ALL
        self._queue: list[Job] = []
        self._dropped: list[Job] = []  # before they were submitted
        self._jobs: list[tuple[Any, Job]] = []
        self._over: dict[str, float] = {}  # job without a result → since when
        self._stopping: set[str] = set()
        self._losses = Losses()
        self._looked = 0.0
        gpus = f" and {spec.gpus:g} GPU{'s' * (spec.gpus > 1)}" if spec.gpus else ""
        cpus = spec.cpus or 1
        side = f", {jobs} side by side" if jobs else ""
        self.place = f"SLURM{side}, {cpus} CPU{'s' * (cpus > 1)}{gpus} each"

    def start(self, job: Job) -> None:
        """Have a run submitted, together with those that are started in the same breath."""
        self._stopping.discard(job.name)
        self._queue.append(job)

    def _submit(self) -> None:
        """Submit what waits: several as one array.

        Raises:
            EngineError: SLURM does not take it.
        """
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        if not self._queue:
            return
        spec = self._spec
        memory = max(job.memory for job in self._queue)
        self._executor.update_parameters(
            name="ppoc",
            timeout_min=math.ceil(60 * (spec.hours or HOURS)),
            cpus_per_task=spec.cpus or 1,
            gpus_per_node=int(spec.gpus) or None,
            mem_gb=math.ceil(memory / 2**30) or None,
            slurm_partition=spec.partition,
            slurm_signal_delay_s=SAVE_SECONDS,
            slurm_array_parallelism=self.slots,
            slurm_additional_parameters={"requeue": True},
        )
        given = [replace(job, gpu=spec.gpus > 0) for job in self._queue]
        try:
            with self._executor.batch():
                made: list[submitit.Job[Outcome]] = [
                    self._executor.submit(SlurmAttempt(), job) for job in given
                ]
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise EngineError(f"SLURM takes no job: {_last_line(str(error))}") from error
        for link in self._folder.glob(".submission_file_*"):  # a folder with links is not moved
            link.unlink()
        self._jobs += zip(made, self._queue, strict=True)
        self._queue = []

    def ended(self) -> Sequence[tuple[Job, Outcome]]:
        """Attempts that have ended since; lost ones are submitted again."""
        self._submit()
        found = [(job, Outcome("stopped")) for job in self._dropped]
        self._dropped = []
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return found
        self._looked = now
        for task, job in list(self._jobs):
            if not task.done() or not self._has_result(task, now):
                continue
            self._jobs.remove((task, job))
            outcome = self._outcome(task, job)
            if outcome is None:
                self._queue.append(job)
            else:
                found.append((job, outcome))
        return found

    def _has_result(self, task: Any, now: float) -> bool:
        """Whether a job that is over has left a result, or will not leave one any more."""
        if task.paths.result_pickle.exists():
            return True
        return now - self._over.setdefault(task.job_id, now) >= RESULT_SECONDS

    def _outcome(self, task: Any, job: Job) -> Outcome | None:
        """How an attempt ended; None where it is to be made again."""
        stopping = job.name in self._stopping
        if not task.paths.result_pickle.exists():
            if stopping:
                return Outcome("stopped")
            why = f"SLURM says {printable(str(task.state), 100)}"
            if not self._losses.again(job):
                return Outcome("failed", FAILED, f"{LOST}, again and again: {why}")
            self._say(f"{job.name}: {LOST}, and it goes on from its last checkpoint ({why})")
            return None
        if (error := task.exception()) is not None:
            trace = str(error).rpartition(RULE)[0]
            return Outcome("failed", FAILED, _last_line(trace or str(error)))
        outcome: Outcome = task.result()
        if outcome.state == "stopped" and not stopping:  # by SLURM, which needs the machine
            return None if self._losses.again(job) else outcome
        return outcome

    def stop(self, job: Job | None = None) -> None:
        """Cancel a run's job, or all: SLURM sends SIGTERM, at which runs save and stop."""
        self._dropped += [x for x in self._queue if job in (None, x)]
        self._queue = [x for x in self._queue if x not in self._dropped]
        for task, running in self._jobs:
            if job in (None, running) and running.name not in self._stopping:
                self._stopping.add(running.name)
                task.cancel(check=False)

    def close(self) -> None:
        """Cancel what still runs; a second call does nothing."""
        self.stop()
        remove(self._folder)


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return printable(lines[-1] if lines else "it says nothing", 500)
