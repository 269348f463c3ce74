"""How a stage goes: besides its score, its accuracy of late and its lowest loss."""

import math
from collections import deque

from ppoc.runtime.health.settings import Settings
from ppoc.runtime.health.trend import Row, Trend

RANKINGS = 2000  # that the reward model's accuracy is a mean over
BEST = "the best evaluation"  # beside the settings: its number, of those so far
SCORES = 3  # rollouts; each score is a mean already, and much is learnt in ten of them


class StageTrend(Trend):
    """How a stage goes: its score, its accuracy of late, and its lowest loss."""

    def __init__(
        self, settings: Settings, total: int, training: "StageTrend | None" = None
    ) -> None:
        """A trend of iterations; or of evaluations, and then `training` is that of iterations."""
        super().__init__(settings, total=total, returns="score", averaged=SCORES)
        self.training = training
        size = max(1, int(settings.get("reward.batch_size", 1)))
        self._accuracies: deque[float] = deque(maxlen=-(-RANKINGS // size))
        self.lowest = math.inf

    def take(self, step: int, row: Row) -> None:
        """Take in an iteration, or an evaluation."""
        super().take(step, row)
        if "accuracy" in row:
            self._accuracies.append(row["accuracy"])
        if row.get("held_out_loss", math.inf) < self.lowest:
            self.lowest = row["held_out_loss"]
            self.settings = {**self.settings, BEST: self.iterations}

    @property
    def accuracy(self) -> float:
        """The mean accuracy over the last RANKINGS rankings; NaN before there are so many."""
        return self.lately if len(self._accuracies) == self._accuracies.maxlen else math.nan

    @property
    def lately(self) -> float:
        """The same over what there is."""
        return sum(self._accuracies) / max(len(self._accuracies), 1)
