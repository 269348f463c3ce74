"""The way back: an experiment in English that `ppoc draft` turns into the same experiment."""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.drafting import Drafting


def describe(resolved: Any, kinds: Mapping[str, Drafting]) -> tuple[str, list[str]]:
    """An experiment in English, and the paths of values that this English has no words for."""
    raise NotImplementedError
