"""The patterns of phrases.yaml, each written out."""

import re
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def phrases() -> dict[str, Any]:
    """The phrases of this folder, read once."""
    from ruamel.yaml import YAML

    text = (files("ppoc.draft.experiment.reading") / "phrases.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe", pure=True).load(text))


@cache
def written_out(pattern: str) -> str:
    """A pattern with that of each `{NAME}` in its place."""
    words = phrases()["words"]
    while (found := re.search(r"\{([A-Z_]+)\}", pattern)) is not None:
        pattern = pattern[: found.start()] + words[found[1]] + pattern[found.end() :]
    return pattern


@cache
def words(name: str) -> frozenset[str]:
    """The words of a pattern that is a row of them."""
    return frozenset(written_out(f"{{{name}}}").split("|"))
