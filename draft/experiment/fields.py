"""Fields of the language of experiments, by dotted path, and those of its runs within them."""

import re
from functools import cache
from typing import Any

from ppoc.compiler.experiment.language import ExperimentSpec
from ppoc.draft.drafting import Drafting
from ppoc.draft.spec.paths import of_model, reason_against

ROOTS = (
    *("ppoc", "kind", "name", "question", "base", "set", "variants", "vary", "search", "tasks"),
    *("seeds", "compare", "engine", "jobs", "budget"),
)
VARIANT = re.compile(r"variants\.(?P<name>(?:[^.]|\.(?=\d))+)(?:\.(?P<key>.+))?")
KEYED = ("set.", "vary.", "search.space.", "compare.scores.")  # before a key of runs


@cache
def table() -> dict[str, Any]:
    """Dotted path → pydantic field."""
    return dict(of_model(ExperimentSpec))


def steps(path: str) -> list[str]:
    """The keys that a path is made of; one of runs is one key, but for those of an inline base."""
    variant = VARIANT.fullmatch(path)
    if variant is not None:
        return ["variants", variant["name"], *([variant["key"]] if variant["key"] else [])]
    root = next((root for root in KEYED if path.startswith(root)), None)
    if root is not None:
        return [*root.rstrip(".").split("."), path.removeprefix(root)]
    return path.split(".")


def of_runs(path: str) -> str | None:
    """The path in a run's spec of one in an experiment's, or None."""
    variant = VARIANT.fullmatch(path)
    if variant is not None:
        return None if variant["key"] in (None, "base") else str(variant["key"])
    root = next((root for root in ("base.", *KEYED[:3]) if path.startswith(root)), None)
    return path.removeprefix(root) if root is not None else None


def takes(path: str, value: Any, of: Drafting) -> str | None:
    """Why the field at a path does not take a value, or None where it does."""
    inner = of_runs(path)
    if inner is None:
        root = path if path in table() else path.partition(".")[0]
        whole = value if root == path else None
        if root == "variants" or (whole is None and root in table()):
            return None
        return reason_against(table(), root, whole)
    values = value if path.startswith("vary.") else [value]
    if path.startswith("search.space."):
        values = [end for ends in value.values() for end in ends]
    return next((why for v in values if (why := of.asked.takes(inner, v)) is not None), None)
