"""The range of a task's scores: to normalise them, and to say which difference matters."""

from dataclasses import dataclass

import numpy as np

from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable
from ppoc.reporting.run import Array
from ppoc.reporting.table import Table
from ppoc.reporting.words import percent

SHARE = 0.05  # of a range, from which on a difference matters
SEEN = "least and greatest of all runs compared"
GIVEN = "as `compare.scores` says"


@dataclass(frozen=True)
class Scale:
    """The scores of a task that count as 0 and 1, and the difference that matters.

    Attributes:
        source: where low and high are from, in words.
        matters: the least difference that matters, in the task's own units.
        why: where that is from, in words.
    """

    low: float
    high: float
    source: str
    matters: float
    why: str

    @property
    def width(self) -> float:
        """The distance from 0 to 1; 1 where all scores are the same."""
        return self.high - self.low or 1.0

    def normalised(self, scores: Array) -> Array:
        """Scores on the scale; 1 where all of the task are the same."""
        if self.high == self.low:
            return np.ones_like(scores)
        return (scores - self.low) / self.width


def scale_of(
    table: Table,
    task: str,
    given: tuple[float, float] | None,
    margin: float | None,
    share: float = SHARE,
) -> Scale:
    """The scale of a task.

    Its ends are those given, else the lowest and the highest score of all runs on it. A difference
    matters from the margin on, else from a share of a range on: of the one given, else of what the
    baseline learnt, from the beginning of its curves to its scores, else of the baseline's mean.

    Raises:
        FormatError: the ends given are no range.
    """
    everything = np.concatenate([x for (_, name), x in table.scores.items() if name == task])
    low, high, source = float(everything.min()), float(everything.max()), SEEN
    extent, of = _learnt(table, task)
    if given is not None:
        low, high = given
        if not low < high:
            raise FormatError(f"compare.scores of {printable(task)} must ascend: [{low}, {high}]")
        extent, of, source = high - low, "the range given", GIVEN
    if margin is not None:
        return Scale(low, high, source, margin, "as the margin says")
    return Scale(low, high, source, share * extent, f"{percent(share)} of {of}")


def _learnt(table: Table, task: str) -> tuple[float, str]:
    base = table.scores.get((table.baseline, task))
    if base is None:
        return 0.0, "nothing, as the baseline has no score"
    mean = float(base.mean())
    curves = table.curves(table.baseline, task)
    if curves and table.metric != "auc":
        return abs(mean - float(np.mean([c.values[0] for c in curves]))), "what the baseline learnt"
    return abs(mean), "the baseline's mean"
