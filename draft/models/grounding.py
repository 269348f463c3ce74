"""A model's answer, held against the request: only what stands there goes any further.

Each number an answer gives must be one of the request's, each word must be quoted from it, and an
algorithm or environment must be one that the reader finds too.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from ppoc.compiler.front.diagnostics import SpecError, render
from ppoc.draft.spec.drafts import Value
from ppoc.draft.text.claims import Claim, Reading
from ppoc.draft.text.items import Item


@dataclass(frozen=True)
class Asked:
    """A model's task for a kind of spec, and the checks that judge its answers."""

    task: str  # what the request is for
    table: Callable[[], Mapping[str, Any]]  # dotted path → field of the language
    paths: Callable[[], list[str]]  # of the fields that are asked for
    named: tuple[str, ...]  # fields whose value the reader is to find too
    texts: tuple[str, ...]  # fields whose value is to stand in the request
    lex: Callable[[str], list[Item]]
    read: Callable[[str], Reading]
    takes: Callable[[str, Any], str | None]
    check: Callable[[dict[str, Value]], None]  # raises SpecError
    # Choices of fields that the language leaves open.
    listed: Mapping[str, Callable[[], list[Any]]] = field(default_factory=dict)


def json_schema(request: str, paths: Sequence[str], asked: Asked) -> dict[str, Any]:
    """A JSON Schema of answers in which each number is one of the request's: nothing to invent."""
    numbers = numbers_of(request, asked)
    properties: dict[str, Any] = {}
    for path in paths:
        choices = choices_of(path, asked)
        if choices is not None:
            properties[field_name(path)] = {"enum": [*choices, None]}
        elif path in asked.named or path in asked.texts:
            properties[field_name(path)] = {"type": ["string", "null"], "maxLength": 60}
        elif path.endswith(".layers"):
            item = {"enum": [int(v) for v in numbers if v.is_integer()] or [64]}
            properties[field_name(path)] = {
                "anyOf": [{"type": "array", "items": item, "maxItems": 8}, {"type": "null"}]
            }
        else:
            exact = [int(v) if v.is_integer() else v for v in numbers if _may_be(path, v, asked)]
            properties[field_name(path)] = {"enum": [*exact, None]}
    properties["evidence"] = {"type": "object", "additionalProperties": {"type": "string"}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _may_be(path: str, value: float, asked: Asked) -> bool:
    return asked.takes(path, int(value) if value.is_integer() else value) is None


def field_name(path: str) -> str:
    """The name of a path's field in an answer."""
    return path.replace(".", "__")


def choices_of(path: str, asked: Asked) -> list[Any] | None:
    """The values of a field that has a few, or None."""
    if path in asked.listed:
        return asked.listed[path]()
    annotation = asked.table()[path].annotation
    if annotation is bool:
        return [True, False]
    literals = [v for part in (annotation, *get_args(annotation)) for v in _literals(part)]
    other = [part for part in get_args(annotation) if part is not type(None)]
    mixed = any(part in (int, float) or hasattr(part, "__metadata__") for part in other)
    return literals if literals and not mixed else None


def _literals(part: Any) -> tuple[Any, ...]:
    return get_args(part) if "Literal" in str(part)[:16] else ()


def numbers_of(request: str, asked: Asked) -> list[float]:
    """Every number that a request has, in digits or words."""
    items = asked.lex(request)
    found = [item.number for item in items if item.number is not None]
    return list(dict.fromkeys(v for n in found for v in (n.value, *n.many)))


def values_in(answer: Any, paths: Sequence[str]) -> dict[str, Any]:
    """The fields that an answer fills in; everything else in it is ignored."""
    found = {path: getattr(answer, field_name(path), None) for path in paths}
    return {path: value for path, value in found.items() if value is not None}


def grounded(
    answer: Any, request: str, paths: Sequence[str], asked: Asked
) -> tuple[list[Claim], list[tuple[str, Any, str]]]:
    """The values of an answer that the request says and the language takes; the others, and why."""
    claims: list[Claim] = []
    rejected: list[tuple[str, Any, str]] = []
    evidence = answer.evidence if isinstance(answer.evidence, dict) else {}
    for path, value in values_in(answer, paths).items():
        problem = asked.takes(path, value)
        place = _place(path, value, request, str(evidence.get(field_name(path), "")), asked)
        if problem is not None:
            rejected.append((path, value, problem))
        elif place is None:
            rejected.append((path, value, "the request does not say so"))
        else:
            claims.append(Claim(path, value, *place, how="as the model reads it"))
    return claims, rejected


def _place(path: str, value: Any, request: str, quote: str, asked: Asked) -> tuple[int, int] | None:
    """Where the request says a value: its number, or the words that a model quotes for it."""
    quoted = _find(request, quote)
    if path in asked.named and not _means(path, value, request, asked):
        return None
    if path in asked.texts:
        return _find(request, str(value))
    if isinstance(value, bool | str):
        return quoted
    items = value if isinstance(value, list) else [value]
    places = []
    for item in asked.lex(request):
        if item.number is not None and set(items) & {item.number.value, *item.number.many}:
            places.append((item.start, item.end))
    if not set(items) <= set(numbers_of(request, asked)) or not places:
        return None
    return quoted or places[0]


def _find(request: str, quote: str) -> tuple[int, int] | None:
    """Where quoted words stand in the request, white space and case aside."""
    words = quote.split()
    if not words or len(quote) > 200 or len("".join(words)) < 2:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), request, re.IGNORECASE)
    return (found.start(), found.end()) if found else None


def _means(path: str, value: Any, request: str, asked: Asked) -> bool:
    """Whether the reader finds such a name in the request too, under any words."""
    claim = asked.read(request).claim(path)
    return claim is not None and claim.value == value


def objections(answer: Any, request: str, paths: Sequence[str], asked: Asked) -> list[str]:
    """Objections to an answer: words the request does not have, and the compiler's diagnostics."""
    claims, rejected = grounded(answer, request, paths, asked)
    wrong = [
        f"{field_name(path)} = {value!r}: {why}; make it null" for path, value, why in rejected
    ]
    values = {c.path: Value(c.path, c.value, "request") for c in claims}
    try:
        asked.check(values)
    except SpecError as error:
        wrong.append(render(error.diagnostics))
    return wrong


def answer_of(claims: Sequence[Claim], request: str, paths: Sequence[str]) -> str:
    """Claims in the form of a model's answer."""
    own = [claim for claim in claims if claim.path in paths]
    values: dict[str, Any] = {field_name(claim.path): claim.value for claim in own}
    evidence = {field_name(claim.path): request[claim.start : claim.end] for claim in own}
    return json.dumps({**values, "evidence": evidence})
