"""The engine `local`: runs in processes of this machine, as many as its memory has room for."""

from collections.abc import Callable, Sequence

from ppoc.experiments.engines import machine
from ppoc.experiments.engines.attempt import Attempt
from ppoc.experiments.engines.engine import Job, Outcome
from ppoc.experiments.engines.planning import Plan

GIB = 1 << 30
USUAL = GIB // 2  # bytes of a run, until one was seen


class LocalEngine:
    """Runs side by side on this machine; they end with the process of the experiment.

    Attributes:
        place: this machine, and how it is shared.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        """Make the engine; `say` tells people where memory has room for fewer than planned."""
        self.place = f"this machine: {plan}"
        self._plan = plan
        self._say = say
        self._running: list[Attempt] = []
        self._gpus: dict[str, str] = {}  # job → its GPU
        self._peaks: dict[str, int] = {}  # job → the most bytes that its run has had
        self._seen = 0  # that any has had
        self._told = False

    @property
    def slots(self) -> int:
        """The plan's jobs, or as many as there is memory for; at least one."""
        running = len(self._running)
        if running >= self._plan.jobs or not running:
            return self._plan.jobs if running else 1
        free = machine.free_memory()
        if free is None:
            return self._plan.jobs
        need = self._seen or USUAL
        taken = [trial.memory for trial in self._running]
        # Those that began a moment ago have not taken yet what they will.
        left = free - sum(max(0, need - bytes_) for bytes_ in taken)
        if left >= need:
            return running + 1
        if not self._told:
            self._told = True
            self._say(
                f"fewer runs side by side than planned: a run takes some {need / GIB:.1f} GiB, "
                f"and {max(0, left) / GIB:.1f} GiB are left"
            )
        return running

    def start(self, job: Job) -> None:
        """Begin an attempt, on the GPU that has the fewest."""
        environment = {}
        if self._plan.gpus and job.device != "cpu":
            used = [self._gpus[trial.job.name] for trial in self._running]
            self._gpus[job.name] = min(self._plan.gpus, key=used.count)
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[job.name]
        self._running.append(Attempt(job, environment))

    def ended(self) -> Sequence[tuple[Job, Outcome]]:
        """Attempts that have ended since."""
        found = []
        for trial in list(self._running):
            name = trial.job.name
            self._peaks[name] = max(self._peaks.get(name, 0), trial.memory)
            self._seen = max(self._seen, self._peaks[name])
            if (outcome := trial.outcome()) is not None:
                self._running.remove(trial)
                found.append((trial.job, outcome._replace(memory=self._peaks.pop(name))))
        return found

    def stop(self, job: Job | None = None) -> None:
        """Pass the wish to stop on to a run, or to all."""
        for trial in self._running:
            if job is None or trial.job == job:
                trial.stop()

    def close(self) -> None:
        """Kill what still runs."""
        for trial in self._running:
            trial.end()
