"""The JSON Schema of specs, for editors."""

from typing import Any

from pydantic import BaseModel

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.presets import presets
from ppoc.compiler.front.source import GREEK
from ppoc.compiler.rlhf.language import RlhfSpec


def json_schema() -> dict[str, Any]:
    """Schema of a source document of any kind: `kind` says of which, and control where it does not.

    A preset, a default or `extends` fills in what is left out.
    """
    agent, rlhf = _of(AgentSpec, ["ppoc", "algorithm", "env"]), _of(RlhfSpec, ["ppoc", "model"])
    agent["properties"]["algorithm"]["enum"] = list(presets())
    of_rlhf = {f"Rlhf{name}": _renamed(entry) for name, entry in rlhf.pop("$defs").items()}
    definitions = {**agent.pop("$defs"), **of_rlhf, "AgentSpec": agent, "RlhfSpec": _renamed(rlhf)}
    is_rlhf = {"properties": {"kind": {"const": "rlhf"}}, "required": ["kind"]}
    return {
        # The newest draft that every yaml-language-server knows; nothing newer is used.
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ppoc spec",
        "type": "object",
        "if": is_rlhf,
        "then": {"$ref": "#/$defs/RlhfSpec"},
        "else": {"$ref": "#/$defs/AgentSpec"},
        "$defs": definitions,
    }


def _of(model: type[BaseModel], needed: list[str]) -> dict[str, Any]:
    """Schema of one kind, with keys that a spec which extends no other needs."""
    schema = model.model_json_schema(by_alias=True)
    del schema["properties"]["lock"]
    schema["$defs"].pop("Lock", None)
    schema["properties"]["extends"] = {
        "type": "string",
        "pattern": r"\.ya?ml$",
        "description": "A spec to start from; the path is relative to this file.",
    }
    schema.pop("required", None)
    schema["anyOf"] = [{"required": ["extends"]}, {"required": needed}]
    for definition in schema["$defs"].values():
        definition.pop("required", None)
        _with_greek(definition.get("properties", {}))
    return schema


def _renamed(value: Any) -> Any:
    """A schema whose references are to the definitions of specs of `kind: rlhf`."""
    if isinstance(value, dict):
        return {
            key: item.replace("#/$defs/", "#/$defs/Rlhf") if key == "$ref" else _renamed(item)
            for key, item in value.items()
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value


def _with_greek(properties: dict[str, Any]) -> None:
    """Accept the lecture's letters beside the names they stand for."""
    for letter, name in GREEK.items():
        if name in properties:
            description = f"Another way to write `{name}`."
            properties[letter] = {**properties[name], "description": description}
