"""The state of an experiment at a moment, as a display shows it."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ppoc.experiments.display.progress import Progress
from ppoc.formats.experiment import State

WINDOW_SECONDS = 30.0


class Meter:
    """Steps per second of a run, over the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, now: float, step: int) -> None:
        """Note that a step was reached, in seconds of any clock."""
        if self._seen and step < self._seen[-1][1]:  # the next stage, or back to a checkpoint
            self._seen.clear()
        if not self._seen or step > self._seen[-1][1]:
            self._seen.append((now, step))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Steps per second; None until two were seen."""
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end > start else None


@dataclass(frozen=True)
class RunView:
    """A run as it is now.

    Attributes:
        total: steps of the whole run; 0 where nobody knows.
        rate: steps per second, of one that runs.
        score: of one that is finished.
    """

    run: str
    state: State
    progress: Progress | None
    total: int
    rate: float | None = None
    score: float | None = None
    reason: str | None = None

    @property
    def step(self) -> int:
        """The step that it is at; its total, where it is finished."""
        if self.state == "finished" and self.total:
            return self.total
        return self.progress.step if self.progress else 0

    @property
    def done(self) -> int:
        """Steps that count towards the total, which are those of the last stage."""
        last = self.state == "finished" or not self.progress or self.progress.stage in ("", "ppo")
        return min(self.step, self.total) if last else 0

    @property
    def left(self) -> float | None:
        """Seconds that it has left; None where nobody knows."""
        if not self.rate or not self.total:
            return None
        return (self.total - self.done) / self.rate


class View(NamedTuple):
    """All runs as they are now.

    Attributes:
        slots: runs that go on side by side.
        seconds: since the experiment was begun, or went on.
    """

    runs: Sequence[RunView]
    slots: int
    seconds: float

    @property
    def counts(self) -> Counter[State]:
        """State → runs in it."""
        return Counter(run.state for run in self.runs)

    @property
    def fraction(self) -> float:
        """How much of all runs is done, from 0 to 1: by steps where they are known."""
        total = sum(run.total for run in self.runs)
        if total and all(run.total for run in self.runs):
            return sum(run.done for run in self.runs) / total
        return self.counts["finished"] / max(1, len(self.runs))

    @property
    def left(self) -> float | None:
        """Seconds until all are done, as fast as it goes now; None where nobody knows."""
        going = [run for run in self.runs if run.state == "running"]
        ahead = [run for run in self.runs if run.state in ("running", "waiting")]
        rates = [run.rate for run in going if run.rate]
        if not rates or not all(run.total for run in ahead):
            return None
        each = sum(rates) / len(rates)
        steps = sum(run.total - run.done for run in ahead)
        together = steps / (each * max(1, min(self.slots, len(ahead))))
        return max([together, *(run.left for run in going if run.left is not None)])
