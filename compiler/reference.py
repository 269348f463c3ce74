"""The language reference: docs/language.md, written from the models."""

from collections.abc import Sequence
from dataclasses import astuple
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ppoc.compiler.front.source import GREEK
from ppoc.compiler.front.values import model_of
from ppoc.compiler.kinds import KINDS

HEAD = """\
# The spec language, version 1

Written by `ppoc schema --markdown`; a test keeps it so. Values that a spec leaves out come from its
preset and then from the defaults below. Unknown keys are errors. The Greek letters {letters} stand
for {names}. Numbers may be written `3e-4`, `1e6` or `1_000_000`; `yes` and `on` are text.

A spec may also have `extends: other.yaml`, which it is laid over; and any value can be replaced on
the command line, as in `-s losses.policy.epsilon=0.1`.
"""
WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", Any: "value"}
SIGNS = {Ge: "≥ {}", Gt: "> {}", Le: "≤ {}", Lt: "< {}"}
FILLED_IN = {"name": "the file's name"}  # keys that are filled in before the model sees them


def markdown() -> str:
    """The reference as Markdown."""
    letters = ", ".join(GREEK)
    names = ", ".join(f"`{name}`" for name in GREEK.values())
    lines = [HEAD.format(letters=letters, names=names)]
    for number, (name, kind) in enumerate(KINDS.items()):
        of, suffix = (f" of `kind: {name}`", f" of {name}") if number else ("", "")
        lines += [kind.introduction] if kind.introduction else []
        lines += _section(f"The whole spec{of}", kind.model, "", suffix)
        for preset, text in kind.presets().items():
            lines += [f"## The preset `{preset}`", "", "```yaml", text.rstrip(), "```", ""]
    return "\n".join(lines)


def _section(
    title: str, model: type[BaseModel], path: str, kind: str = "", nullable: str = ""
) -> list[str]:
    inner: list[str] = []
    rows = []
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key == "lock":
            continue
        section = model_of(info.annotation)
        if section is not None:
            below = f"{path}.{key}" if path else key
            inner += _section(f"`{below}`{kind}", section, below, kind, _nullable(info))
        else:
            cells = (f"`{key}`", _type(info), _default(info, key), info.description or "")
            rows.append("| " + " | ".join(cells) + " |")
            one = _one_of_many(info.annotation)
            if one is not None:
                inner += _section(f"`{path}.{key}` of one key{kind}", one, f"{path}.{key}", kind)
    head = [f"## {title}", "", f"{(model.__doc__ or '').strip()}{nullable}", ""]
    if rows:
        head += ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows, ""]
    return head + inner


def _one_of_many(annotation: Any) -> type[BaseModel] | None:
    """The section that each value of a mapping is."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return model_of(get_args(annotation)[1]) if get_origin(annotation) is dict else None


def _nullable(info: FieldInfo) -> str:
    """Says of a section that there may be none."""
    if type(None) not in get_args(info.annotation):
        return ""
    return " It may be `null`, the default." if info.default is None else " It may be `null`."


def _type(info: FieldInfo) -> str:
    return _words(info.annotation, info.metadata)


def _words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in words, with its limits."""
    if hasattr(annotation, "__metadata__"):
        inner, *more = get_args(annotation)
        return _words(inner, [*metadata, *(x for m in more for x in getattr(m, "metadata", [m]))])
    limits = [
        SIGNS[type(limit)].format(_number(astuple(limit)[0]))
        for limit in metadata
        if type(limit) in SIGNS
    ]
    return ", ".join([_plain(annotation, metadata), *limits])


def _plain(annotation: Any, metadata: Sequence[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "`null`"
    if origin is list:
        return f"list of {_lengths(metadata)}{_several(arguments[0])}"
    if origin is dict:
        key, value = arguments
        one = _lengths(metadata) == "1 "
        names = "one name" if one else "names"
        names = (
            _or([f"`{name}`" for name in get_args(key)]) if get_origin(key) is Literal else names
        )
        single = one and get_origin(value) is dict
        return f"mapping of {names} to {_words(value) if single else _several(value)}"
    if arguments:
        return _or(_parts(annotation))
    return "section" if model_of(annotation) is not None else WORDS[annotation]


def _parts(annotation: Any) -> list[str]:
    """The alternatives of a type, in words."""
    if get_origin(annotation) is Literal:
        return [f"`{value}`" for value in get_args(annotation)]
    if get_origin(annotation) in (Union, UnionType):
        return [words for part in get_args(annotation) for words in _parts(part)]
    return [_words(annotation)]


def _or(parts: list[str]) -> str:
    """Alternatives; of those with limits, it is clear to which a limit belongs."""
    if any("," in part or " or " in part for part in parts):
        return "; or ".join(parts)
    return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _several(annotation: Any) -> str:
    """The words of a type, for values of a list or a mapping."""
    words = _words(annotation)
    if len(_parts(annotation)) > 1:
        return f"({words})"
    kind, _, limits = words.partition(", ")
    first, _, rest = kind.partition(" of ")
    many = f"{first}s of {rest}" if rest else f"{kind}s"
    return f"{many} ({limits})" if limits else many


def _lengths(metadata: Sequence[Any]) -> str:
    least = max((x.min_length for x in metadata if isinstance(x, MinLen)), default=0)
    most = min((x.max_length for x in metadata if isinstance(x, MaxLen)), default=None)
    if least == most:
        return f"{most} "
    return f"{least} to {most} " if least else f"up to {most} " if most else ""


def _default(info: FieldInfo, key: str) -> str:
    if info.default_factory is not None:
        empty: Any = info.default_factory  # of no arguments
        return f"`{empty()}`"
    if info.default is PydanticUndefined:
        return FILLED_IN.get(key, "required")
    words = {None: "null", True: "true", False: "false"}
    plain = info.default is None or isinstance(info.default, bool)
    return f"`{words[info.default] if plain else info.default}`"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
