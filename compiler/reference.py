"""The language reference: docs/language.md, written from the models."""

from dataclasses import astuple
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ppoc.compiler.language import AgentSpec, model_of
from ppoc.compiler.overlay import presets
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.source import GREEK

HEAD = """\
# The spec language, version 1

Written by `ppoc schema --markdown`; a test keeps it so. Values that a spec leaves out come from its
preset and then from the defaults below. Unknown keys are errors. The Greek letters {letters} stand
for {names}. Numbers may be written `3e-4`, `1e6` or `1_000_000`; `yes` and `on` are text.

A spec may also have `extends: other.yaml`, which it is laid over; and any value can be replaced on
the command line, as in `-s losses.policy.epsilon=0.1`.
"""
RLHF = """\
# Specs of `kind: rlhf`

Learning from human feedback has a language of its own: a language model instead of networks, files
instead of an environment, and a section for each of the three steps. There are no presets. Paths
are relative to the file that has them.
"""
WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text"}
SIGNS = {Ge: "≥ {}", Gt: "> {}", Le: "≤ {}", Lt: "< {}", MaxLen: "at most {} items"}


def markdown() -> str:
    """The reference as Markdown."""
    letters = ", ".join(GREEK)
    names = ", ".join(f"`{name}`" for name in GREEK.values())
    lines = [HEAD.format(letters=letters, names=names)]
    lines += _section("The whole spec", AgentSpec, "")
    for name, text in presets().items():
        lines += [f"## The preset `{name}`", "", "```yaml", text.rstrip(), "```", ""]
    lines += [RLHF, *_section("The whole spec of `kind: rlhf`", RlhfSpec, "", " of rlhf")]
    return "\n".join(lines)


def _section(title: str, model: type[BaseModel], path: str, kind: str = "") -> list[str]:
    inner: list[str] = []
    rows = []
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key == "lock":
            continue
        section = model_of(info.annotation)
        if section is not None:
            below = f"{path}.{key}" if path else key
            inner += _section(f"`{below}`{kind}", section, below, kind)
        else:
            cells = (f"`{key}`", _type(info), _default(info), info.description or "")
            rows.append("| " + " | ".join(cells) + " |")
    head = [f"## {title}", "", (model.__doc__ or "").strip(), ""]
    if rows:
        head += ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows, ""]
    return head + inner


def _type(info: FieldInfo) -> str:
    limits = [*info.metadata]
    words = _words(info.annotation, limits)
    ranges = [
        SIGNS[type(limit)].format(_number(astuple(limit)[0]))
        for limit in limits
        if type(limit) in SIGNS
    ]
    return ", ".join([words, *ranges]) if ranges else words


def _words(annotation: Any, limits: list[Any]) -> str:
    """A type in words; what limits it lands in `limits`."""
    if hasattr(annotation, "__metadata__"):
        inner, *metadata = get_args(annotation)
        for item in metadata:
            limits.extend(getattr(item, "metadata", [item]))
        return _words(inner, limits)
    if annotation is type(None):
        return "`null`"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is list:
        return f"list of {_words(get_args(annotation)[0], [])}s"
    if get_origin(annotation) is dict:
        keys = get_args(get_args(annotation)[0])  # of a Literal
        return f"mapping of {', '.join(f'`{key}`' for key in keys)}" if keys else "mapping"
    if get_args(annotation):
        return " or ".join(_words(part, limits) for part in get_args(annotation))
    return WORDS[annotation]


def _default(info: FieldInfo) -> str:
    if info.default_factory is not None:
        return "`{}`"
    if info.default is PydanticUndefined:
        return "required"
    words = {None: "null", True: "true", False: "false"}
    plain = info.default is None or isinstance(info.default, bool)
    return f"`{words[info.default] if plain else info.default}`"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f"{value:,}"
