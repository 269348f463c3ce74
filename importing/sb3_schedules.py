"""Schedules of a Stable-Baselines3 model, of which its file has a pickle and what it prints."""

import re
from collections.abc import Mapping
from typing import Any


def read(data: Mapping[str, Any], key: str) -> Any:
    """A number, `lin_NUMBER` for one that falls to 0, or None where it is code.

    A schedule prints as ConstantSchedule(val=0.2), or as LinearSchedule(start=…, end=…, …).
    """
    value = data.get(key)
    if not isinstance(value, dict):
        return value
    text = _printed(data, key)
    number = r"([0-9]+(?:\.[0-9]*)?(?:e-?[0-9]+)?)"
    constant = re.fullmatch(rf"ConstantSchedule\(val={number}\)", text)
    if constant:
        return float(constant[1])
    falling = rf"LinearSchedule\(start={number}, end=0(?:\.0)?, end_fraction=1(?:\.0)?\)"
    linear = re.fullmatch(falling, text)
    return f"lin_{linear[1]}" if linear else None


def _printed(data: Mapping[str, Any], key: str) -> str:
    """The printed form of a schedule; the learning rate's is kept under another name too."""
    value = data.get("lr_schedule") if key == "learning_rate" else None
    value = value if isinstance(value, dict) else data[key]
    return str(value.get("value_schedule", ""))


def described(data: Mapping[str, Any], key: str) -> str:
    """A description of a schedule that a spec cannot say, as far as it is known."""
    text = _printed(data, key)
    return text[:80] if text.startswith("LinearSchedule") else "of which the file has only a pickle"
