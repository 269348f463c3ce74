"""pydantic's errors as diagnostics: the place, what was expected, what was found, how to fix it."""

import math
from collections.abc import Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ppoc.compiler.front import suggest
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import INHERITED
from ppoc.compiler.front.spec import SpecKind
from ppoc.compiler.front.values import ENV_ID, NAME, VERSION, model_of

RANGES = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "too_long": ("max_length", "at most {} items"),
    "too_short": ("min_length", "at least {} items"),
}
PATTERNS = {
    "name": "letters, digits, `.`, `_` and `-`, at most 64, beginning with a letter or digit",
    "id": "an environment id such as CartPole-v1",
    "algorithm": "the name of a preset, in small letters",
}

KEYS = {NAME: PATTERNS["name"], ENV_ID: PATTERNS["id"]}  # form of a key → the same in words
EXAMPLES = {  # of what a spec must have
    "ppoc": f"ppoc: {VERSION}",
    "name": "name: my-agent",
    "algorithm": "algorithm: ppo",
    "env": "env: {id: CartPole-v1}",
    "id": "id: CartPole-v1",
    "model": "model: {id: gpt2}",
}


def explain(errors: Sequence[ErrorDetails], root: Node, kind: SpecKind) -> list[Diagnostic]:
    """pydantic's errors as diagnostics about the document `root`, inherited values left out."""
    placed = [(locate(root, error["loc"]), error) for error in errors]
    paths = [path for (path, _, _), _ in placed]
    own = [
        error
        for (path, node, _), error in placed
        if node.origin != INHERITED and not _is_inside(path, error, paths)
    ]
    found = [_explain_one(error, root, kind) for error in own]
    # For `auto or a number`, pydantic tells what each part objects to; a range says it all, and so
    # does a key.
    ranges = {diagnostic.span for diagnostic in found if diagnostic.code in ("E010", "E012")}
    return [d for d in found if d.code != "E011" or d.span not in ranges]


def _explain_one(error: ErrorDetails, root: Node, kind: SpecKind) -> Diagnostic:
    wrong, location = error["type"], error["loc"]
    path, node, parent = locate(root, location)
    annotation = annotation_at(kind.model, path)
    if wrong == "extra_forbidden":
        return _unknown_key(kind, path, node)
    if wrong == "missing":
        return _missing([str(step) for step in location], parent)
    place = node.span or node.key_span
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
    found = described(node.value)
    if path == ("ppoc",):
        help = f"write `ppoc: {VERSION}`"
        return Diagnostic("E015", f"unknown language version {found}", place, help=help)
    choices = _choices(annotation)
    if choices and isinstance(node.value, str) and wrong != "string_pattern_mismatch":
        close = suggest.value(node.value, choices)
        help = f"{close} one of: {', '.join(choices)}".strip()
        return Diagnostic("E014", f"`{name}` cannot be {found}", place, help=help)
    if wrong in RANGES and not _is_union(annotation):
        key, words = RANGES[wrong]
        limit = words.format(_limit(error.get("ctx", {}).get(key)))
        return Diagnostic("E012", f"`{name}` is {found}", place, help=f"it must be {limit}")
    if wrong in RANGES:
        return Diagnostic(
            "E012", f"`{name}` is {found}", place, help=f"it must be {error['msg'][16:]}"
        )
    if location[-1] == "[key]" and path[-1] != location[-2]:  # of one part of a union
        keys = ", ".join(f"`{key}`" for key in _choices_of_keys(annotation))
        message = f"unknown key `{str(location[-2])[:80]}` in `{name}`"
        return Diagnostic("E010", message, place, help=f"the keys here are: {keys}")
    if location[-1] == "[key]":  # pydantic's word for a key of the user's own
        message = f"`{name[:80]}` is no name"
        pattern = str(error.get("ctx", {}).get("pattern"))
        help = f"use {KEYS.get(pattern, 'letters, digits and `_`')}"
        return Diagnostic("E012", message, node.key_span, help=help)
    if wrong == "string_pattern_mismatch":
        word = next((step for step in reversed(path) if isinstance(step, str)), "")
        expected = PATTERNS.get(word, f"text of the form {error.get('ctx', {}).get('pattern')}")
        return Diagnostic("E012", f"`{name}` is {found}", place, help=f"it must be {expected}")
    if wrong == "finite_number" or (
        isinstance(node.value, float) and not math.isfinite(node.value)
    ):
        return Diagnostic("E012", f"`{name}` is {found}", place, help="it must be finite")
    model = model_of(annotation)
    expected = _expected(annotation, model)
    help = _type_help(node.value, expected) or _section_help(path, model, node.value)
    return Diagnostic("E011", f"`{name}` must be {expected}, not {found}", place, help=help)


def _is_inside(
    path: tuple[Any, ...], error: ErrorDetails, others: Sequence[tuple[Any, ...]]
) -> bool:
    """Whether one type of a union objects to a value of another, which is wrong further inside."""
    is_union = len(error["loc"]) > len(path) and error["type"] != "missing"
    return is_union and any(len(x) > len(path) and x[: len(path)] == path for x in others)


def locate(root: Node, location: Sequence[Any]) -> tuple[tuple[Any, ...], Node, Node]:
    """The longest part of a location that is in the document; pydantic adds union members to it."""
    node, parent = root, root
    path: list[Any] = []
    for number, step in enumerate(location):
        child = _child(node, step)
        if child is None and _is_item(node, location[number + 1 : number + 2]):
            continue  # the name of a type of lists, in a union
        if child is None:
            break
        parent, node = node, child
        path.append(step)
    else:
        return tuple(path), node, parent
    return tuple(path), node, node


def _is_item(node: Node, steps: Sequence[Any]) -> bool:
    return bool(steps) and type(steps[0]) is int and _child(node, steps[0]) is not None


def _child(node: Node, step: Any) -> Node | None:
    value = node.value
    if isinstance(value, dict):
        return value.get(step)
    in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
    return value[step] if in_list else None


def annotation_at(spec: type[BaseModel], path: Sequence[Any]) -> Any:
    """The type of the language at a path."""
    annotation: Any = spec
    for step in path:
        section = model_of(annotation)
        if section is not None:
            fields = {(f.alias or n): f.annotation for n, f in section.model_fields.items()}
            annotation = fields.get(step)
        else:
            parts = get_args(annotation) if _is_union(annotation) else (annotation,)
            parts = tuple(get_args(x)[0] if hasattr(x, "__metadata__") else x for x in parts)
            form = list if isinstance(step, int) else dict
            many = [part for part in parts if get_origin(part) is form]
            annotation = get_args(many[0])[-1] if many else annotation
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return annotation


def _unknown_key(kind: SpecKind, path: Sequence[Any], node: Node) -> Diagnostic:
    key = str(path[-1])
    model = model_of(annotation_at(kind.model, path[:-1])) or kind.model
    siblings = [info.alias or name for name, info in model.model_fields.items()]
    if model is kind.model:
        siblings = [name for name in siblings if name != "lock"] + ["extends"]
    where = ".".join(str(step) for step in path[:-1])
    place = f" in `{where}`" if where else ""
    sections = [step for step in path[:-1] if isinstance(step, str)]
    help = suggest.unknown_key(key, siblings, kind, sections)
    return Diagnostic("E010", f"unknown key `{key[:80]}`{place}", node.key_span, help=help)


def _missing(path: list[str], parent: Node) -> Diagnostic:
    name = ".".join(path)
    span = parent.key_span or parent.span
    example = EXAMPLES.get(path[-1], f"{path[-1]}: …")
    return Diagnostic("E013", f"`{name}` is missing", span, help=f"add `{example}`")


def described(value: Any) -> str:
    """A value in words, for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value)


def _limit(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if _is_union(annotation):
        return [choice for part in get_args(annotation) for choice in _choices(part)]
    return []


def _choices_of_keys(annotation: Any) -> list[str]:
    """The keys that a mapping in a union may have."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is dict:
        return _choices(get_args(annotation)[0])
    parts = get_args(annotation) if _is_union(annotation) else ()
    return [key for part in parts for key in _choices_of_keys(part)]


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _expected(annotation: Any, model: type[BaseModel] | None) -> str:
    """A type of the language in words."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    if model is not None:
        keys = (info.alias or name for name, info in model.model_fields.items())
        return f"a mapping with keys such as {', '.join(list(keys)[:3])}"
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if _is_union(annotation):
        return " or ".join(_expected(part, None) for part in get_args(annotation))
    if get_origin(annotation) is list:
        return "a list"
    if get_origin(annotation) is dict:
        return "a mapping"
    return WORDS.get(annotation, "something else")


NOTHING = ("no", "off", "none", "None", "false", False)


def _section_help(path: Sequence[Any], model: type[BaseModel] | None, value: Any) -> str:
    """How to write a section that is no mapping."""
    if model is None or not path:
        return ""
    if isinstance(value, list) and any(isinstance(item.value, dict) for item in value):
        return "remove the `-` before its keys"
    first = next(info.alias or name for name, info in model.model_fields.items())
    return f"such as `{path[-1]}: {{{EXAMPLES.get(first, f'{first}: …')}}}`"


def _type_help(value: Any, expected: str) -> str:
    if isinstance(value, str) and "true or false" in expected:
        truths = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        word = truths.get(value.lower())
        return f"write `{word}`" if word else "write `true` or `false`"
    if isinstance(value, str) and value.lower().lstrip("+-.") in ("nan", "inf", "infinity"):
        return "it must be finite"
    if value in NOTHING and "null" in expected:
        return "write `null`"
    if isinstance(value, str) and "number" in expected:
        return "write the number without quotes or units"
    if isinstance(value, float) and "whole number" in expected and value.is_integer():
        return f"write `{int(value)}`" if abs(value) < 2**53 else ""
    if isinstance(value, int | str) and not isinstance(value, bool) and expected == "a list":
        return f"write `[{value}]`" if len(str(value)) <= 60 else ""
    if value is None and expected == "a mapping":
        return "write `{}`"
    return ""
