"""Values and fields of any kind of spec, by dotted path."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.front.values import model_of

_ADAPTERS: dict[int, TypeAdapter[Any]] = {}  # by the identity of a field of a language


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Values by dotted path; empty mappings and lists are values."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found.update(flat(item, f"{path}.{key}" if path else key))
    return found


def values_of(resolved: ResolvedSpec) -> dict[str, Any]:
    """Every value of a checked spec, by dotted path."""
    return flat(resolved.spec.model_dump(mode="json", by_alias=True))


def of_model(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and pydantic field of everything in a language, sections included."""
    for name, info in model.model_fields.items():
        path = f"{above}{info.alias or name}"
        yield path, info
        section = model_of(info.annotation)
        if section is not None:
            yield from of_model(section, f"{path}.")


def reason_against(table: Mapping[str, Any], path: str, value: Any) -> str | None:
    """Why the field at a path of a table does not take a value, or None where it does."""
    if path not in table:
        return f"the language has no `{path}`"
    info = table[path]
    try:
        _adapter(info).validate_python(value)
    except ValidationError as error:
        messages = [e["msg"] for e in error.errors() if e["type"] != "none_required"]
        ranged = [m for m in messages if "than" in m or "most" in m or "least" in m]
        message = (ranged or messages)[0]
        return message.replace("Input should", "it must").replace("must be a valid", "must be a")
    return None


def _adapter(info: Any) -> TypeAdapter[Any]:
    """The checker of values of a field; made once, as making one is slow."""
    if id(info) not in _ADAPTERS:
        _ADAPTERS[id(info)] = _new_adapter(info)
    return _ADAPTERS[id(info)]


def _new_adapter(info: Any) -> TypeAdapter[Any]:
    metadata = tuple(info.metadata)
    annotation: Any = Annotated[(info.annotation, *metadata)] if metadata else info.annotation
    model = model_of(info.annotation)
    return TypeAdapter(annotation) if model else TypeAdapter(annotation, config={"strict": True})
