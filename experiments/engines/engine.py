"""Jobs, their outcomes, and the engines that carry them out: here, or on other machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

State = Literal["finished", "failed", "stopped"]


class EngineError(Exception):
    """An engine that cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Job:
    """A run to be made in its folder, from wherever the folder says that it is.

    Attributes:
        folder: absolute, with the run's compiled files; where other machines make runs, it is on
            storage that all of them share.
        threads: of torch and of environments.
        memory: bytes that it is expected to need; 0 where nobody knows.
        gpu: whether it is to have a GPU.
        device: where to train; None: as its spec says.
        trust: whether code that its spec names is imported.
        debug: whether tracebacks are kept in what it says.
        work: the name by which its rate is kept, of `ppoc.compiler.work`; empty: it is not.
    """

    name: str
    folder: Path
    threads: int = 1
    memory: int = 0
    gpu: bool = False
    device: str | None = None
    trust: bool = False
    debug: bool = False
    work: str = ""


class Outcome(NamedTuple):
    """The end of an attempt at a run.

    Attributes:
        state: `stopped` where it was asked to, and can go on.
        code: that its process ended with; negative: a signal's number. 0 where none was needed.
        reason: why it failed, in a line or a few.
        memory: the most bytes that the run was seen with; 0 where nobody looked.
    """

    state: State
    code: int = 0
    reason: str | None = None
    memory: int = 0


class Engine(Protocol):
    """A place where runs are made side by side.

    All calls come from the main thread of the experiment's process. How far runs are, nobody asks
    an engine: their folders say it.

    Attributes:
        place: where that is, in a few words for people.
    """

    place: str

    @property
    def slots(self) -> int:
        """Runs that it makes side by side; it may change while they run."""

    def start(self, job: Job) -> None:
        """Begin an attempt at a run; return at once."""

    def ended(self) -> Sequence[tuple[Job, Outcome]]:
        """Attempts that have ended since this was asked last, without waiting."""

    def stop(self, job: Job | None = None) -> None:
        """Ask a run to save and end, or all; return at once, `ended` tells when they have."""

    def close(self) -> None:
        """End at once what still runs, and let go of the place; a second call does nothing."""
