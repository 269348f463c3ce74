"""A symptom of an unhealthy run: what shows it, since when, and what to change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ppoc.runtime.health.findings import Change, Finding
from ppoc.runtime.health.settings import Settings
from ppoc.runtime.health.trend import Row, Trend


@dataclass(frozen=True)
class Symptom:
    """Something that metrics show for `patience` iterations in a row."""

    name: str
    metric: str
    patience: int
    shown: Callable[[Row, Trend], bool]
    text: str
    """What is seen, with `{value}` for the metric."""
    cause: str
    changes: Callable[[Settings], Sequence[Change]]
    source: str
    fits: Callable[[Settings], bool] = lambda settings: True
    """Whether a run with such settings can show it."""

    def finding(self, since: int, row: Row, trend: Trend) -> Finding:
        """The finding that the symptom has been seen since the step `since`.

        It proposes no change where nobody knows how the run is set.
        """
        value = row[self.metric]
        return Finding(
            self.name,
            trend.step,
            self.metric,
            value,
            self.text.format(value=f"{value:.4g}", count=self.patience),
            self.cause,
            tuple(self.changes(trend.settings)) if trend.settings else (),
            self.source,
            since,
        )
