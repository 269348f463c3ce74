"""The engine `ray`: runs as tasks of a Ray cluster, each wherever there is room for it.

A task that is lost with its node or its process is begun again, elsewhere if need be: the run goes
on from its last checkpoint, which is on storage that all nodes share.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.experiments.engines import ray_cluster
from ppoc.experiments.engines.attempt import FAILED
from ppoc.experiments.engines.engine import EngineError, Job, Outcome
from ppoc.experiments.engines.ray_cluster import Need, first_line
from ppoc.experiments.engines.remote import Losses, RemoteAttempt
from ppoc.formats.text import printable

LOOK_SECONDS = 5.0  # between looks at the cluster's nodes
GONE_SECONDS = (
    30.0  # without an answer; after 60 Ray ends the whole process, with a code of its own
)
LOST = "its machine or its process was lost"


class RayEngine:
    """Runs on the nodes of a Ray cluster.

    Attributes:
        place: the cluster, and what a run has of it.
    """

    def __init__(
        self, spec: EngineSpec, folder: Path, jobs: int | None, say: Callable[[str], None]
    ) -> None:
        """Connect to the cluster, and see that its nodes can make runs.

        Args:
            folder: of the experiment, absolute, on storage that all nodes share.
            jobs: runs side by side; None: as many as the cluster has room for.
            say: tells people of nodes that are lost.

        Raises:
            EngineError: the cluster cannot be used.
            OSError: the folder cannot be written to.
        """
        self._jobs, self._say = jobs, say
        self._need = Need(spec.cpus or 1, spec.gpus)
        self._tasks: dict[Any, Job] = {}
        self._stopping: set[str] = set()
        self._losses = Losses()
        self._open = True
        self._room, self._looked, self._silent = 0, time.monotonic(), 0.0
        self._cluster = ray_cluster.connect(spec.address)
        try:
            for note in ray_cluster.check_nodes(folder, self._need):
                say(note)
            self._room = self._count()
        except BaseException:
            self.close()
            raise
        self.place = f"{self._cluster.place}: {self.slots} side by side, {self._need} each"

    @property
    def slots(self) -> int:
        """The jobs that were asked for, or as many as the cluster's nodes have room for now."""
        return self._room if self._jobs is None else self._jobs

    def _count(self) -> int:
        with _told():
            return sum(map(self._need.times, ray_cluster.alive()))

    def _look(self) -> None:
        """See now and then whether the cluster is there, and has room.

        Raises:
            EngineError: it is gone.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        if self._cluster.answers():
            before, self._room, self._silent = self._room, self._count(), 0.0
            if before and not self._room:
                self._say("no node of the Ray cluster has room for a run any more: waiting for one")
        else:
            self._silent += now - self._looked
            if self._silent >= GONE_SECONDS:
                raise EngineError("the Ray cluster is lost: its head does not answer any more")
        self._looked = now

    def start(self, job: Job) -> None:
        """Hand a run to the cluster."""
        import ray

        self._stopping.discard(job.name)
        given = replace(job, gpu=self._need.gpus > 0)
        task = ray.remote(
            num_cpus=self._need.cpus,
            num_gpus=self._need.gpus,
            memory=job.memory or None,
            max_retries=0,  # of Ray, which knows nothing of how far a run is
            name=f"ppoc {job.name}",
        )(_make)
        with _told():
            self._tasks[task.remote(given)] = job

    def ended(self) -> Sequence[tuple[Job, Outcome]]:
        """Attempts that have ended since; lost ones are begun again."""
        import ray

        self._look()
        if not self._tasks:
            return []
        with _told():
            ready, _ = ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0)
        found = []
        for task in ready:
            job = self._tasks.pop(task)
            outcome = self._outcome(task, job)
            if outcome is None:
                self.start(job)
            else:
                found.append((job, outcome))
        return found

    def _outcome(self, task: Any, job: Job) -> Outcome | None:
        """How an attempt ended; None where it is to be made again."""
        import ray

        stopping = job.name in self._stopping
        try:
            outcome: Outcome = ray.get(task)
        except ray.exceptions.TaskCancelledError:
            return Outcome("stopped")
        except ray.exceptions.RayTaskError as error:  # of ours
            return Outcome("failed", FAILED, printable(str(error.cause), 500))
        except ray.exceptions.RayError as error:
            why = first_line(error)
            if stopping:
                return Outcome("stopped")
            if not self._losses.again(job):
                return Outcome("failed", FAILED, f"{LOST}, again and again: {why}")
            self._say(f"{job.name}: {LOST}, and it goes on from its last checkpoint ({why})")
            return None
        if outcome.state == "stopped" and not stopping:  # by somebody on its machine
            return None if self._losses.again(job) else outcome
        return outcome

    def stop(self, job: Job | None = None) -> None:
        """Ask a run, or all, to save and stop; those that wait for room never begin."""
        import ray

        for task, running in self._tasks.items():
            if job in (None, running) and running.name not in self._stopping:
                self._stopping.add(running.name)
                with contextlib.suppress(ray.exceptions.RayError):
                    ray.cancel(task)

    def close(self) -> None:
        """Leave the cluster, which ends what still runs; one that was started here ends as well."""
        if not self._open:
            return
        self._open = False
        ray_cluster.disconnect(self._cluster)


def _make(job: Job) -> Outcome:
    return RemoteAttempt()(job)


@contextlib.contextmanager
def _told() -> Any:
    """Say of a cluster that does not answer any more that it is gone."""
    import ray

    try:
        yield
    except (ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
        raise EngineError(f"the Ray cluster is lost: {first_line(error)}") from error
