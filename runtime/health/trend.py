"""How a run goes, in the few numbers that say whether it learns."""

import math
from collections import deque
from collections.abc import Mapping

from ppoc.runtime.health.settings import Settings

AVERAGED = 10  # episode returns that the trend is judged by

Row = Mapping[str, float]


class Trend:
    """How the mean episode return has gone: its start, its best, and where it is now."""

    def __init__(
        self,
        settings: Settings,
        *,
        total: int = 0,
        action_components: int = 0,
        returns: str = "episode_return",
        averaged: int = AVERAGED,
    ) -> None:
        """The trend of a run with such settings, which are usable.

        Args:
            total: steps of the whole run, 0 where nobody knows.
            action_components: of a continuous action; 0 for a choice.
            returns: the metric that is to rise.
            averaged: how many of it in a row are judged by their mean.
        """
        self.settings = settings
        self.total = total
        self.action_components = action_components
        self.iterations = 0
        self.step = 0
        self.started = math.nan
        """Mean of the first returns."""
        self.spread = 0.0
        """Standard deviation of the first returns."""
        self.best = -math.inf
        """The highest mean of as many returns in a row as are averaged."""
        self.now = math.nan
        """The mean of the last of them."""
        self.first: dict[str, float] = {}
        """The first finite value of each metric."""
        self._metric = returns
        self._returns: deque[float] = deque(maxlen=averaged)

    def take(self, step: int, row: Row) -> None:
        """Take in an iteration."""
        self.iterations += 1
        self.step = step
        if len(self.first) < len(row):
            for name, value in row.items():
                if name not in self.first and math.isfinite(value):
                    self.first[name] = value
        value = row.get(self._metric, math.nan)
        if not math.isfinite(value):
            return
        self._returns.append(value)
        count = len(self._returns)
        if count < (self._returns.maxlen or 0):
            return
        self.now = sum(self._returns) / count
        if math.isnan(self.started):
            self.started = self.now
            squares = sum((x - self.now) ** 2 for x in self._returns)
            self.spread = math.sqrt(squares / count)
        self.best = max(self.best, self.now)

    @property
    def progress(self) -> float:
        """How much of the run is done, from 0 to 1."""
        return self.step / self.total if self.total else 0.0

    @property
    def improved(self) -> bool:
        """Whether returns have left the range that they started in."""
        return self.rose()

    def rose(self, spreads: float = 1.0, share: float = 0.05) -> bool:
        """Whether returns were higher than at the start by so many spreads and by such a share."""
        return self.best > self.started + max(spreads * self.spread, share * abs(self.started))
