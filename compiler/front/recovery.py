"""Recovery of the right part of a spec with mistakes, so that it too is checked at once."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ppoc.compiler.front.node import Node
from ppoc.compiler.front.spec import SpecKind
from ppoc.compiler.front.validate import locate
from ppoc.compiler.front.values import model_of

Path = tuple[str, ...]


def recovered(
    errors: Sequence[ErrorDetails], root: Node, kind: SpecKind
) -> tuple[BaseModel | None, tuple[Path, ...]]:
    """The spec of a document without the values that pydantic objects to, and their paths.

    A value that is left out is not an attribute of the result either: a rule that reads it without
    saying so fails, rather than take a default for what the spec says. There is no spec where a
    mistake may concern the whole of it, as an unknown section does.
    """
    wrong = tuple(sorted({_field(error, root, kind.model) for error in errors}))
    if () in wrong:
        return None, wrong
    plain = root.plain()
    for path in wrong:
        _remove(plain, path)
    for key, value in kind.required.items():  # they stand in, until they are left out
        inner = isinstance(value, dict)
        plain[key] = {**value, **plain.get(key, {})} if inner else plain.get(key, value)
    try:
        spec = kind.model.model_validate(plain)
    except ValidationError:
        return None, wrong
    for path in wrong:
        _leave_out(spec, path)
    return spec, wrong


def _field(error: ErrorDetails, root: Node, spec: type[BaseModel]) -> Path:
    """The field of the language that an error is about; of an unknown key, the section around."""
    path, _, _ = locate(root, error["loc"])
    if error["type"] == "missing":
        path = error["loc"]
    elif error["type"] == "extra_forbidden":
        path = path[:-1]
    model: type[BaseModel] | None = spec
    for depth, step in enumerate(path):
        if model is None:
            return tuple(path[:depth])  # inside a list or a mapping of the user's own
        model = model_of(model.model_fields[_attribute(model, step)].annotation)
    return tuple(path)


def _attribute(model: type[BaseModel], key: Any) -> str:
    """The attribute of a section that a key becomes."""
    return next(name for name, info in model.model_fields.items() if key in (name, info.alias))


def _remove(plain: Any, path: Path) -> None:
    for step in path[:-1]:
        plain = plain.get(step)
        if not isinstance(plain, dict):
            return  # the section is left out
    plain.pop(path[-1], None)


def _leave_out(spec: BaseModel, path: Path) -> None:
    section: Any = spec
    for step in path[:-1]:
        section = vars(section).get(_attribute(type(section), step))
        if section is None:
            return
    vars(section).pop(_attribute(type(section), path[-1]), None)
