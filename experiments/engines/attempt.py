"""An attempt at a run: begin it, or go on with it, in a process of its own, and see how it ends.

It can be made again however often, on whatever machine sees the folder: a finished run is left
alone, one with a checkpoint goes on from there, one without begins anew.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from ppoc.compiler.agent.env.isolation import PR_SET_PDEATHSIG
from ppoc.experiments.engines.engine import Job, Outcome
from ppoc.experiments.engines.machine import memory_of
from ppoc.experiments.engines.output import Output, reason
from ppoc.experiments.engines.run_folder import ending, is_held

LOOK_SECONDS = 0.2
STOPPED = "stopped"  # all that a run says which is stopped before it trains
HELD = "another run is writing to "
FAILED = 3  # exit code of a run that failed


def attempt(job: Job, environment: Mapping[str, str] | None = None) -> Outcome:
    """Make a run, and wait until it is finished, has failed or was stopped.

    A KeyboardInterrupt lets the run save and stop, and is not raised; a second one ends it at once.

    Args:
        environment: variables for it besides those of this process.
    """
    trial = Attempt(job, environment)
    try:
        while (outcome := trial.outcome()) is None:
            try:
                time.sleep(LOOK_SECONDS)
            except KeyboardInterrupt:
                if trial.stopping:
                    raise
                trial.stop()
        return outcome
    finally:
        trial.end()


class Attempt:
    """An attempt under way, for those who do not wait for it.

    Where another process is making the run already, such as one that outlived the experiment that
    began it, the attempt waits for its end, and then looks what is left to do.
    """

    def __init__(self, job: Job, environment: Mapping[str, str] | None = None) -> None:
        """Begin it; called from a thread that outlives it, whose end would end the run too."""
        self.job = job
        self.stopping = False
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Output | None = None
        self._outcome: Outcome | None = None

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs. Ask now and then: this also moves it along."""
        if self._outcome is None:
            try:
                self._outcome = self._look()
            except OSError as error:
                what = f": {error.filename}" if error.filename else ""
                self._outcome = Outcome("failed", FAILED, f"{error.strerror or error}{what}")
        return self._outcome

    def _look(self) -> Outcome | None:
        if self._process is not None:
            code = self._process.poll()
            return None if code is None else self._ended(code)
        if is_held(self.job.folder):
            return (
                Outcome("stopped", FAILED, "another process is making it")
                if self.stopping
                else None
            )
        found = ending(self.job.folder)
        if found is not None and found.finished:
            return Outcome("finished")
        if self.stopping:
            return Outcome("stopped", FAILED)
        self._begin()
        return None

    def _begin(self) -> None:
        job = self.job
        # A folder that was only compiled is resumed from its beginning, in its place.
        command = [sys.executable, "-P", "-m", "ppoc.cli", "run", str(job.folder), "--resume"]
        command += ["--quiet", *(["--device", job.device] if job.device else [])]
        command += [*(["--trust"] if job.trust else []), *(["--debug"] if job.debug else [])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": str(job.threads), **self._environment},
            start_new_session=True,  # Ctrl-C is for the experiment, which passes it on
            preexec_fn=_dying_with(os.getpid()),
        )
        assert self._process.stderr is not None
        try:
            self._output = Output(self._process.stderr, job.folder)
        except OSError:
            self.end()
            raise

    def _ended(self, code: int) -> Outcome | None:
        said = self._output.end() if self._output is not None else ""
        found = ending(self.job.folder)
        if code == 0 and found is not None and found.finished:
            return Outcome("finished")
        why = reason(said)
        if why is not None and why.startswith(HELD):  # it began as we looked
            self._process = self._output = None
            return None
        if self.stopping or why == STOPPED or (why is None and found is not None and found.stopped):
            return Outcome("stopped", code, None if why == STOPPED else why)
        return Outcome("failed", code, why or _of_code(code))

    @property
    def memory(self) -> int:
        """Bytes that it has in memory now."""
        running = self._process is not None and self._process.poll() is None
        return memory_of(self._process.pid) if running and self._process else 0

    def stop(self) -> None:
        """Ask the run to save and end; return at once."""
        self.stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End the run at once where it still runs; what it saved is kept."""
        if self._process is None or self._process.poll() is not None:
            return
        self.stopping = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _of_code(code: int) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}, and said nothing"


def _dying_with(parent: int) -> Callable[[], None] | None:
    """A function for a new process that has Linux end it when the one that began it has ended."""
    if sys.platform != "linux":
        return None
    # Found now: between fork and exec a process is to do as little as it can.
    prctl: Any = ctypes.CDLL(None).prctl

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return die_with_parent
