"""How a stage goes: besides its score, its accuracy of late and its lowest loss."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from ppoc.runtime.health.trend import Row, Trend

RANKINGS = 2000  # that the reward model's accuracy is a mean over
SCORES = 3  # rollouts; each score is a mean already, and much is learnt in ten of them


class StageTrend(Trend):
    """How a stage goes: its score, its accuracy of late, and its lowest loss."""

    def __init__(
        self, constants: Mapping[str, Any], total: int, training: "StageTrend | None" = None
    ) -> None:
        """A trend of iterations; or of evaluations, and then `training` is that of iterations."""
        super().__init__(constants, total=total, returns="score", averaged=SCORES)
        self.training = training
        size = max(1, int(self.constants.get("REWARD_BATCH_SIZE", 1)))
        self._accuracies: deque[float] = deque(maxlen=-(-RANKINGS // size))
        self.lowest = math.inf

    def take(self, step: int, row: Row) -> None:
        """Take in an iteration, or an evaluation."""
        super().take(step, row)
        if "accuracy" in row:
            self._accuracies.append(row["accuracy"])
        if row.get("held_out_loss", math.inf) < self.lowest:
            self.lowest = row["held_out_loss"]
            self.constants = {**self.constants, "BEST": self.iterations}

    @property
    def accuracy(self) -> float:
        """The mean accuracy over the last RANKINGS rankings; NaN before there are so many."""
        return self.lately if len(self._accuracies) == self._accuracies.maxlen else math.nan

    @property
    def lately(self) -> float:
        """The same over what there is."""
        return sum(self._accuracies) / max(len(self._accuracies), 1)
