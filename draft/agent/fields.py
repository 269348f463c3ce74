"""Facts of the compiler that a reader needs: values of presets, the zoo, types of fields."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.front.spec import Document
from ppoc.compiler.front.values import model_of
from ppoc.compiler.resolve import resolve_text

_ADAPTERS: dict[int, TypeAdapter[Any]] = {}  # by the identity of a field of a language
STAND_IN = "CartPole-v1"  # the environment of `ppoc init`, where a request names none


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Values by dotted path; empty mappings and lists are values."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found.update(flat(item, f"{path}.{key}" if path else key))
    return found


def values_of(resolved: Document) -> dict[str, Any]:
    """Every value of a checked spec, by dotted path."""
    return flat(resolved.spec.model_dump(mode="json", by_alias=True))


@cache
def preset_values(algorithm: str) -> dict[str, Any]:
    """Every value that a spec has which says nothing but its algorithm."""
    text = f"ppoc: 1\nname: a\nalgorithm: {algorithm}\nenv: {{id: {STAND_IN}}}\n"
    return values_of(resolve_text(text, "preset"))


@cache
def zoo() -> dict[str, str]:
    """Name → text of every agent of the zoo."""
    root = Path(str(files("ppoc.specs")))
    others = ("presets", "rlhf")
    paths = [p for p in sorted(root.glob("*/*.yaml")) if p.parent.name not in others]
    return {f"{p.parent.name}/{p.stem}": p.read_text(encoding="utf-8") for p in paths}


@cache
def zoo_values(name: str) -> dict[str, Any]:
    """The values that a spec of the zoo sets itself, by dotted path."""
    resolved = resolve_text(zoo()[name], f"{name}.yaml")
    return {
        ".".join(path): node.plain()
        for path, node in resolved.root.leaves()
        if node.origin == "spec" and path[0] != "ppoc"
    }


def of_model(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and pydantic field of everything in a language, sections included."""
    for name, info in model.model_fields.items():
        path = f"{above}{info.alias or name}"
        yield path, info
        section = model_of(info.annotation)
        if section is not None:
            yield from of_model(section, f"{path}.")


@cache
def field_table() -> dict[str, Any]:
    """Dotted path → pydantic field."""
    return dict(of_model(AgentSpec))


def is_path(path: str) -> bool:
    """Whether the language has a field there, or a place for names of one's own."""
    above = path.rpartition(".")[0]
    return path in field_table() or above.endswith((".parameters", ".options"))


def is_whole(path: str) -> bool:
    """Whether the field takes whole numbers and no others."""
    return not _takes(path, 0.5)


def takes(path: str, value: Any) -> str | None:
    """Why the field at a path does not take a value, or None where it does."""
    if path not in field_table():
        return None if is_path(path) else f"the language has no `{path}`"
    return reason_against(field_table(), path, value)


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


def _takes(path: str, value: Any) -> bool:
    return takes(path, value) is None


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


def default_of(path: str) -> Any:
    """The language's own default of a field."""
    return field_table()[path].get_default(call_default_factory=True)
