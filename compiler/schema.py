"""The JSON Schema of specs, for editors."""

from typing import Any

from ppoc.compiler.language import AgentSpec
from ppoc.compiler.overlay import presets
from ppoc.compiler.source import GREEK


def json_schema() -> dict[str, Any]:
    """Schema of a source document, in which a preset or `extends` fills in what is left out."""
    schema = AgentSpec.model_json_schema(by_alias=True)
    # The newest draft that every yaml-language-server knows; nothing newer is used.
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    schema["title"] = "ppoc spec"
    properties = schema["properties"]
    del properties["lock"]
    schema["$defs"].pop("Lock", None)
    properties["algorithm"]["enum"] = list(presets())
    properties["extends"] = {
        "type": "string",
        "pattern": r"\.ya?ml$",
        "description": "A spec to start from; the path is relative to this file.",
    }
    full = ["ppoc", "algorithm", "env"]
    schema.pop("required", None)
    schema["anyOf"] = [{"required": ["extends"]}, {"required": full}]
    for definition in schema["$defs"].values():
        definition.pop("required", None)
        _with_greek(definition.get("properties", {}))
    return schema


def _with_greek(properties: dict[str, Any]) -> None:
    """Accept the lecture's letters beside the names they stand for."""
    for letter, name in GREEK.items():
        if name in properties:
            description = f"Another way to write `{name}`."
            properties[letter] = {**properties[name], "description": description}
