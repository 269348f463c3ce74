"""How far a run is, and how fast it goes."""

import math

RATE_SECONDS = 10.0


class Meter:
    """How far a run is and how fast it goes."""

    def __init__(self, total_steps: int, start_step: int = 0, unit: str = "steps") -> None:
        self.total_steps = total_steps
        self.step = start_step
        self.unit = unit
        self._last_time: float | None = None
        self._steps = self._tokens = self._seconds = 0.0

    def advance(self, step: int, now: float, tokens: int = 0) -> None:
        """Note that `step` was reached at `now`, in seconds of any clock, with so many tokens.

        The first call only starts the clock: the time before it went into compiling.
        """
        if self._last_time is not None:
            elapsed = now - self._last_time
            decay = math.exp(-elapsed / RATE_SECONDS)
            self._steps = self._steps * decay + (step - self.step)
            self._tokens = self._tokens * decay + tokens
            self._seconds = self._seconds * decay + elapsed
        self.step, self._last_time = step, now

    @property
    def rate(self) -> float | None:
        """Steps per second, averaged with weights that fall by 1/e in 10 s; None at first."""
        return self._steps / self._seconds if self._seconds > 0 else None

    @property
    def fraction(self) -> float:
        """How much of the run is done, from 0 to 1."""
        return self.step / self.total_steps

    def texts(self) -> tuple[str, str, str, str]:
        """Share done, steps, rate and time left, for people."""
        rate = self.rate
        steps = f"{self.step:,}/{self.total_steps:,}"
        if not rate:
            counted = f" {self.unit}" if self.unit != "steps" else ""
            return f"{self.fraction:4.0%}", f"{steps}{counted}", "", ""
        left = duration((self.total_steps - self.step) / rate)
        rates = f"{_rate(rate)} {self.unit}/s"
        if self._tokens:
            rates += f"  {_rate(self._tokens / self._seconds)} tokens/s"
        return f"{self.fraction:4.0%}", steps, rates, f"{left} left"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def duration(seconds: float) -> str:
    """Seconds as a clock shows them."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
