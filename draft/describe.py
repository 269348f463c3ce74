"""The way back: a spec in plain English that `ppoc draft` turns into the same spec again."""

from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.draft.kinds import KINDS


def describe(resolved: ResolvedSpec) -> tuple[str, list[str]]:
    """A spec in English, and the paths of values that this English has no words for."""
    return KINDS[resolved.kind.name].describe(resolved)
