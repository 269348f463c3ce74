"""Fields of the language of `kind: rlhf` and the values they take, by dotted path."""

from functools import cache
from typing import Any

from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.draft.spec.paths import flat, of_model, reason_against

# A spec that says nothing but what it must.
LEAST = "ppoc: 1\nkind: rlhf\nname: a\nmodel: {id: gpt2}\n"


@cache
def table() -> dict[str, Any]:
    """Dotted path → pydantic field."""
    return dict(of_model(RlhfSpec))


def takes(path: str, value: Any) -> str | None:
    """Why the field at a path does not take a value, or None where it does."""
    return reason_against(table(), path, value)


@cache
def defaults() -> dict[str, Any]:
    """Every value of the language's own, by dotted path."""
    text = LEAST + "data: {demonstrations: a, preferences: b}\n"
    return flat(resolve_text(text, "spec.yaml").spec.model_dump(mode="json", by_alias=True))
