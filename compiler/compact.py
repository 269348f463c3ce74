"""A spec as a person would write it: a preset, what differs from it, comments where they belong.

The opposite of the lock, which has every value.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.language.optimizer import Optimizers
from ppoc.compiler.agent.presets import presets
from ppoc.compiler.front.scalars import plain_scalar
from ppoc.compiler.front.source import parse
from ppoc.compiler.front.values import VERSION, model_of
from ppoc.compiler.resolve import resolve_text

WIDTH = 100
ALWAYS = {("env", "id"), ("training", "total_steps")}


class Note(NamedTuple):
    """A comment about a value of a spec, or about one it could not have."""

    path: tuple[str, ...]
    text: str


def spec_text(
    name: str,
    algorithm: str,
    values: Mapping[str, Any],
    notes: Sequence[Note] = (),
    head: Sequence[str] = (),
) -> str:
    """The text of a spec with these values, without those that the preset or a default gives.

    Args:
        values: sections of the language with their keys, such as `{"env": {"id": …}}`; what is
            left out is as the preset has it.
        notes: each becomes a comment above its value, or in the section it would be in.
        head: lines of comment that the spec begins with.

    Raises:
        SpecError: the preset is unknown.
    """
    document = f"ppoc: {VERSION}\nname: x\nalgorithm: {algorithm}\nenv: {{id: x}}\n"
    below = resolve_text(document, "preset").spec.model_dump(mode="json", by_alias=True)
    kept = _differing(values, below, AgentSpec, ())
    _drop_inherited(kept, values, below, algorithm)
    lines = [line for text in head for line in _comment(text, 0)]
    lines += [f"ppoc: {VERSION}", f"name: {_scalar(name)}", f"algorithm: {algorithm}"]
    lines += _block(kept, notes, (), list(AgentSpec.model_fields))
    return "\n".join(lines) + "\n"


def document_text(
    document: Mapping[str, Any], notes: Sequence[Note] = (), head: Sequence[str] = ()
) -> str:
    """The text of a spec of any kind with just these values, in their order."""
    lines = [line for text in head for line in _comment(text, 0)]
    return "\n".join([*lines, *_block(document, notes, ())]) + "\n"


def _differing(
    values: Mapping[str, Any], below: Mapping[str, Any], model: type[BaseModel], path: Any
) -> dict[str, Any]:
    """The values that are not as below, section by section, in the order of the language."""
    fields = {info.alias or key: info.annotation for key, info in model.model_fields.items()}
    kept: dict[str, Any] = {}
    for key in (key for key in fields if key in values):
        value, here, section = values[key], (*path, key), model_of(fields[key])
        if section is not None and isinstance(value, Mapping):
            under = below.get(key)
            missing = under is None
            inner = _differing(value, _defaults(section) if under is None else under, section, here)
            if inner or missing:
                kept[key] = inner
        elif here in ALWAYS or value != below.get(key):
            kept[key] = value
    return kept


def _defaults(section: type[BaseModel]) -> dict[str, Any]:
    return section().model_dump(mode="json", by_alias=True)


def _drop_inherited(
    kept: dict[str, Any], values: Mapping[str, Any], below: Mapping[str, Any], algorithm: str
) -> None:
    """Keep of the critic's optimiser only what differs from the preset's critic, else the actor.

    An adaptive rate is the actor's alone.
    """
    wanted = values.get("optimizer", {})
    if "critic" not in wanted:
        return
    inherited = {**below["optimizer"]["actor"], **wanted.get("actor", {})}
    if inherited["schedule"] == "adaptive":
        inherited |= {"schedule": "constant", "kl_target": None}
    preset = parse(presets()[algorithm], "preset").plain()
    inherited |= preset.get("optimizer", {}).get("critic", {})
    own = {key: value for key, value in wanted["critic"].items() if value != inherited[key]}
    optimizer = {**kept.get("optimizer", {}), "critic": own}
    if not own:
        del optimizer["critic"]
    kept.pop("optimizer", None)
    if optimizer:
        order = list(Optimizers.model_fields)
        kept["optimizer"] = dict(sorted(optimizer.items(), key=lambda row: order.index(row[0])))


def _block(
    values: Mapping[str, Any],
    notes: Sequence[Note],
    path: tuple[str, ...],
    order: Sequence[str] = (),
) -> Iterator[str]:
    """The lines of a mapping, with each note above what it is about."""
    indent = 2 * len(path)
    depth = len(path)
    noted = {note.path[depth] for note in notes if len(note.path) > depth}
    keys = [*values, *(key for key in noted if key not in values)]
    keys.sort(key=lambda key: order.index(key) if key in order else len(order))
    for note in notes:
        if note.path == path:
            yield from _comment(note.text, indent)
    for key in keys:
        here = (*path, key)
        about = [note for note in notes if note.path[: depth + 1] == here]
        value = values.get(key)
        if key not in values:
            for note in about:
                yield from _comment(note.text, indent)
            continue
        flow = f"{' ' * indent}{key}: {_flow(value)}"
        deeper = [note for note in about if len(note.path) > depth + 1]
        wide = deeper or len(flow) > WIDTH or (about and path == ())
        if isinstance(value, Mapping) and value and wide:
            yield f"{' ' * indent}{key}:"
            yield from _block(value, about, here)
            continue
        for note in about:
            yield from _comment(note.text, indent)
        yield flow


def _comment(text: str, indent: int) -> Iterator[str]:
    """Lines of comment; nothing in the text can end one, or begin another."""
    plain = "".join(c if c.isprintable() else " " for c in text).replace("#", "")
    line = " " * indent + "#"
    for word in plain.split():
        if len(line) + 1 + len(word) > WIDTH and not line.endswith("#"):
            yield line
            line = " " * indent + "#"
        line += f" {word}"
    yield line


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)}: {_flow(item)}" for k, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key)


def _scalar(value: Any) -> str:
    """A scalar that reads back as itself, here and with a reader of YAML 1.1."""
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z][\w./-]*", value, re.ASCII) and plain_scalar(value) == value
        return value if plain else json.dumps(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:_}"
    if isinstance(value, float):
        mantissa, e, exponent = repr(value).partition("e")
        mantissa += "" if "." in mantissa or not e else ".0"
        return f"{mantissa}e{int(exponent)}" if e else mantissa
    return json.dumps(value)
