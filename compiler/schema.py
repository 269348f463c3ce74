"""The JSON Schema of specs, for editors."""

from typing import Any

from ppoc.compiler.front.source import GREEK
from ppoc.compiler.front.spec import SpecKind
from ppoc.compiler.front.suggest import places
from ppoc.compiler.front.values import KEY
from ppoc.compiler.kinds import KINDS


def json_schema() -> dict[str, Any]:
    """Schema of a source document of any kind, which its key `kind` says, or the first kind.

    A preset, a default or `extends` fills in what is left out.
    """
    definitions: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    for name, kind in KINDS.items():
        prefix, title = name.capitalize() if choice else "", kind.model.__name__
        schema = _of(kind)
        below = {f"{prefix}{key}": entry for key, entry in schema.pop("$defs").items()}
        named = {key: _renamed(entry, prefix) for key, entry in {**below, title: schema}.items()}
        definitions |= named
        whole = {"$ref": f"#/$defs/{title}"}
        is_it = {"properties": {"kind": {"const": name}}, "required": ["kind"]}
        choice = {"if": is_it, "then": whole, "else": choice} if choice else whole
    keys = {
        path
        for kind in KINDS.values()
        if kind.pace
        for x in places(kind.model).values()
        for path in x
    }
    _with_keys(definitions)
    return {
        # The newest draft that every yaml-language-server knows; nothing newer is used.
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ppoc spec",
        "type": "object",
        **choice,
        "$defs": definitions,
        "definitions": {"keys": {"enum": sorted(key for key in keys if "lock" not in key)}},
    }


def _with_keys(value: Any) -> None:
    """Name the keys of runs where a schema takes any, so that an editor completes them."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _with_keys(item)
    if isinstance(value, dict) and KEY in value.get("patternProperties", {}):
        value["propertyNames"] = {"anyOf": [{"$ref": "#/definitions/keys"}, {"pattern": KEY}]}


def _of(kind: SpecKind) -> dict[str, Any]:
    """Schema of one kind, with the keys that a spec which extends no other needs."""
    schema = kind.model.model_json_schema(by_alias=True)
    del schema["properties"]["lock"]
    schema["$defs"].pop("Lock", None)
    schema["properties"]["extends"] = {
        "type": "string",
        "pattern": r"\.ya?ml$",
        "description": "A spec to start from; the path is relative to this file.",
    }
    schema.pop("required", None)
    schema["anyOf"] = [{"required": ["extends"]}, {"required": [*kind.needed]}]
    if presets := [*kind.presets()]:
        schema["properties"]["algorithm"]["enum"] = presets
    for definition in schema["$defs"].values():
        definition.pop("required", None)
        _with_greek(definition.get("properties", {}))
    return schema


def _renamed(value: Any, prefix: str) -> Any:
    """A schema whose references are to definitions with a prefix."""
    if isinstance(value, dict):
        return {
            key: item.replace("#/$defs/", f"#/$defs/{prefix}")
            if key == "$ref"
            else _renamed(item, prefix)
            for key, item in value.items()
        }
    return [_renamed(item, prefix) for item in value] if isinstance(value, list) else value


def _with_greek(properties: dict[str, Any]) -> None:
    """Accept the lecture's letters beside the names they stand for."""
    for letter, name in GREEK.items():
        if name in properties:
            description = f"Another way to write `{name}`."
            properties[letter] = {**properties[name], "description": description}
