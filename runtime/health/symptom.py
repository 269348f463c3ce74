"""A symptom of an unhealthy run: what shows it, since when, and what to change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppoc.runtime.health.findings import Change, Finding
from ppoc.runtime.health.trend import Row, Trend

Constants = Mapping[str, Any]


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
    changes: Callable[[Constants], Sequence[Change]]
    source: str
    fits: Callable[[Constants], bool] = lambda constants: True
    """Whether a module with such constants can show it."""

    def finding(self, since: int, row: Row, trend: Trend) -> Finding:
        """The finding that the symptom has been seen since the step `since`."""
        value = row[self.metric]
        return Finding(
            self.name,
            trend.step,
            self.metric,
            value,
            self.text.format(value=f"{value:.4g}", count=self.patience),
            self.cause,
            tuple(self.changes(trend.constants)),
            self.source,
            since,
        )
