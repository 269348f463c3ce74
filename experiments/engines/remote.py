"""An attempt at a run in a process that a cluster started, on whichever machine that is."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ppoc.experiments.engines.attempt import FAILED, LOOK_SECONDS, Attempt
from ppoc.experiments.engines.engine import Job, Outcome

ATTEMPTS = 3  # that are lost one after the other without getting further, before a run has failed


class RemoteAttempt:
    """An attempt, called in the main thread of its process.

    SIGINT, by which clusters ask for an end, lets the run save and stop. SIGUSR2, by which they
    tell of one, reaches this process where it can be answered, and never the run's own.
    """

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._trial: Attempt | None = None

    def __call__(self, job: Job) -> Outcome:
        """Make a run, and wait for its end."""
        if not (job.folder / "module.py").is_file():
            return Outcome("failed", FAILED, not_shared(socket.gethostname(), job.folder))
        with _quiet(signal.SIGUSR2), _noted(signal.SIGINT) as asked:
            # A GPU that is there is not always for this job.
            hidden = {} if job.gpu else {"CUDA_VISIBLE_DEVICES": ""}
            trial = self._trial = Attempt(job, hidden)
            try:
                while (outcome := trial.outcome()) is None:
                    if asked.is_set() and not trial.stopping:
                        trial.stop()
                    with _heard(signal.SIGUSR2):
                        time.sleep(LOOK_SECONDS)
                return outcome
            finally:
                trial.end()

    def stop(self, seconds: float) -> None:
        """Let the run save and stop; return when it has, or when the time is over."""
        if self._trial is None:
            return
        self._trial.stop()
        end = time.monotonic() + seconds
        while self._trial.outcome() is None and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)


@contextlib.contextmanager
def _noted(number: signal.Signals) -> Iterator[threading.Event]:
    """Note a signal while this is open, also where the process was begun with it blocked."""
    asked = threading.Event()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    before = signal.signal(number, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def _quiet(number: signal.Signals) -> Iterator[None]:
    """Leave a signal waiting, here and in processes that are begun meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _heard(number: signal.Signals) -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def not_shared(machine: str, folder: Path) -> str:
    """The reason why a machine cannot make a run, in words."""
    return (
        f"{machine} does not see {folder}: put experiments on storage that all machines share, "
        "under the same path (--out)"
    )


class Losses:
    """Attempts that were lost with their machine or their process, and whether to make another."""

    def __init__(self) -> None:
        """None is lost yet."""
        self._lost: dict[str, tuple[int, tuple[str, ...]]] = {}

    def again(self, job: Job) -> bool:
        """Whether to begin a lost attempt anew: as long as a run gets further, and a few times."""
        there = tuple(sorted(str(x) for x in job.folder.glob("**/checkpoints/step-*[0-9]")))
        count, before = self._lost.get(job.name, (0, there))
        count = count + 1 if there == before else 1
        self._lost[job.name] = count, there
        return count < ATTEMPTS
